"""Does a picture stand in two splits: under one id, with equal pixels, or nearly the same."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from offside_data.checks._base import CheckedDataset
from offside_data.dedup.clusters import Cluster, HashedPicture
from offside_data.dedup.find import find_duplicates
from offside_data.errors import PictureError
from offside_data.images.hashes.phash import RADIUS
from offside_data.issues import Issue
from offside_data.schema import SPLITS

if TYPE_CHECKING:
    import polars as pl

_ADVICE = "Keep it in one split, or say with derived_from that one was made from the other."
_STATED = ("pixels_sha256", "phash")
"""What the table of pictures states and is needed to compare them."""


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the pictures of all splits, as `dedup` does; copies that say what they were made from are no leak."""
    shown = _with_hashes(_shown(checked), checked)
    pictures = [_picture(row) for row in shown.iter_rows(named=True)]
    hashes: list[str | None] = shown["picture_sha256"].to_list()

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        wanted: dict[str, list[int]] = defaultdict(list)
        for position in positions:
            if sha256 := hashes[position]:
                wanted[sha256].append(position)
        for sha256, data in checked.encoded(wanted):
            yield from ((position, data) for position in wanted[sha256])

    for picture in pictures:
        if len(picture.splits) > 1:
            message = f"the same picture stands in {' and '.join(picture.splits)}. {_ADVICE}"
            yield Issue("error", "picture-leak", picture.key, message)
    for cluster in find_duplicates(pictures, read, radius=RADIUS).clusters:
        yield from _across_splits(cluster)


def _across_splits(cluster: Cluster) -> Iterator[Issue]:
    """An issue for each picture that stands in another split than the first one does."""
    first, *others = sorted(cluster.pictures, key=lambda p: (SPLITS.index(p.splits[0]), p.key))
    for picture in others:
        if picture.splits != first.splits:
            alike = "has the same pixels as" if picture.content == first.content else "shows the same as"
            message = (
                f"it stands in {' and '.join(picture.splits)} and {alike} {first.key} in "
                f"{' and '.join(first.splits)}. {_ADVICE}"
            )
            yield Issue("error", "picture-leak", picture.key, message)


def _shown(checked: CheckedDataset) -> pl.DataFrame:
    """Each picture that picture records are about, with its splits, its origin, and what the table says of it."""
    import polars as pl

    col = pl.col
    multimodal = col("part").cast(pl.String).str.starts_with("multimodal/")
    asked = checked.records.filter(multimodal, col("image_id").is_not_null(), col("split").is_in(SPLITS))
    groups = asked.group_by("image_id", "picture_sha256").agg(
        col("split").cast(pl.String).unique(),
        col("derived_from").replace("", None).drop_nulls().first(),
    )
    table = (
        checked.tables["images"].unique("image_id", keep="last").select("image_id", "sha256", "derived_from", *_STATED)
    )
    groups = groups.join(table, on="image_id", how="left", suffix="_of_row")
    # Hashes of other bytes say nothing.
    believed = col("picture_sha256").is_null() | col("sha256").is_null() | (col("sha256") == col("picture_sha256"))
    return groups.select(
        *(
            "image_id",
            "picture_sha256",
            "split",
            pl.coalesce("derived_from", "derived_from_of_row").alias("derived_from"),
        ),
        *(pl.when(believed).then(name) for name in _STATED),
    ).sort("image_id", "picture_sha256", nulls_last=False)


def _with_hashes(shown: pl.DataFrame, checked: CheckedDataset) -> pl.DataFrame:
    """The same with hashes of the pixels where none are stated."""
    import polars as pl

    from offside_data.images.hashing import hash_image

    lacking = shown.filter(pl.any_horizontal(pl.col(name).is_null() for name in _STATED))["picture_sha256"].drop_nulls()
    made: list[tuple[str, str, str]] = []
    for sha256, data in checked.encoded(lacking.unique().to_list()):
        with contextlib.suppress(PictureError):  # Another check says so.
            hashes = hash_image(data)
            made.append((sha256, hashes.pixels_sha256, hashes.phash))
    new = pl.DataFrame(made, dict.fromkeys(("picture_sha256", *_STATED), pl.String), orient="row")
    joined = shown.join(new, on="picture_sha256", how="left", maintain_order="left", suffix="_made")
    return joined.with_columns(pl.coalesce(name, f"{name}_made").alias(name) for name in _STATED)


def _picture(row: Mapping[str, Any]) -> HashedPicture:
    return HashedPicture(
        key=row["image_id"],
        content=row["pixels_sha256"] or row["picture_sha256"] or f"unknown, of {row['image_id']}",
        hashes=(row["phash"],) if row["phash"] else (),
        width=0,  # Nothing is dropped, so nobody asks which one is larger.
        height=0,
        origin=row["derived_from"],
        splits=tuple(split for split in SPLITS if split in row["split"]),
    )
