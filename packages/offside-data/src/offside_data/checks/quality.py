"""Is a picture too poor to show anything: tiny, blank, dark, blurred, of an extreme shape, mostly one colour."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.picture_names import file_of
from offside_data.images.quality import Quality, faults
from offside_data.issues import Issue


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look at each picture that picture records ask about, twins of visual rumours left out."""
    import polars as pl

    multimodal = pl.col("part").cast(pl.String).str.starts_with("multimodal/")
    asked = checked.records.filter(multimodal, pl.col("image_id").is_not_null())
    shown = asked.select("image_id", "picture_sha256").unique("image_id", keep="first", maintain_order=True)
    measured = checked.pictures.select("picture_sha256", "quality").drop_nulls("quality")
    sources = checked.tables["images"].unique("image_id", keep="last").select("image_id", "source")
    rows = shown.join(measured, on="picture_sha256").join(sources, on="image_id", how="left").sort("image_id")
    for image_id, _, quality, source in rows.iter_rows():
        for fault, message in faults(Quality.from_row(quality)):
            yield Issue("warning", f"picture-{fault}", image_id, f"{file_of(source) or 'the picture'} {message}")
