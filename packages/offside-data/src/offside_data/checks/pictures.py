"""Is every picture there, readable, the same wherever it stands, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.checks._base import CheckedDataset
from offside_data.issues import Issue

if TYPE_CHECKING:
    import polars as pl


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Check pictures of records and of the table of pictures."""
    import polars as pl

    asked = checked.records.filter(pl.col("part").cast(pl.String).str.starts_with("multimodal/"))
    yield from _missing(checked, asked)
    columns = [pl.col("image_id"), pl.col("picture_sha256")]
    table = checked.tables["images"].select(*columns, record_id="image_id")
    shown = pl.concat([asked.select(*columns, "record_id"), table]).drop_nulls("picture_sha256")
    first = shown.unique("picture_sha256", keep="first", maintain_order=True)
    for picture, sha256, name in first.filter(pl.col("picture_sha256").is_in(list(checked.unreadable))).rows():
        message = f"picture {picture} of {name}: {checked.unreadable[sha256]}"
        yield Issue("error", "image-unreadable", str(picture), message)
    kinds = shown.group_by("image_id").agg(pl.col("picture_sha256").n_unique())
    for picture in sorted(map(str, kinds.filter(pl.col("picture_sha256") > 1)["image_id"])):
        message = "stands for pictures with different bytes; one image_id is one picture."
        yield Issue("error", "image-differs", picture, message)
    yield from _unlisted(checked)


def _missing(checked: CheckedDataset, asked: pl.DataFrame) -> Iterator[Issue]:
    import polars as pl

    missing = asked.filter(pl.col("picture_sha256").is_null())
    if len(missing) and len(missing) == len(asked):
        message = (
            f"none of the {len(asked)} picture records has its picture, so no model can be shown them. "
            "Ingest again without --without-images once the pictures are there."
        )
        yield Issue("warning", "images-absent", "multimodal", message)
        return
    for row in checked.whole(missing.select("part", "row", "record_id", "image_id"), "image"):
        image = row["image"]
        stored = f"only the path {image['path']!r} is stored, not the bytes" if image else "there is none"
        message = f"it asks about picture {row['image_id']}, but {stored}."
        yield Issue("error", "image-missing", row["record_id"], message)


def _unlisted(checked: CheckedDataset) -> Iterator[Issue]:
    import polars as pl

    table = (
        checked.tables["images"].select("image_id", "sha256").unique("image_id", keep="last").with_columns(there=True)
    )
    pictures = checked.records.select("image_id", "picture_sha256").drop_nulls("image_id").unique()
    pictures = pictures.join(table, on="image_id", how="left")
    for picture in pictures.filter(pl.col("there").is_null())["image_id"].unique().sort():
        message = "has records but no row in tables/images.parquet."
        yield Issue("warning", "image-unlisted", picture, message)
    for picture in pictures.filter(pl.col("sha256") != pl.col("picture_sha256"))["image_id"].unique().sort():
        message = "tables/images.parquet states another sha256 than that of the picture's bytes."
        yield Issue("error", "image-hash", picture, message)
