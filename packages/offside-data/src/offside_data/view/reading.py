"""What the view reads of a dataset: columns without pictures, rows in batches, pictures by row group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.storage import Row, arrow_schema

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset

INDEXED = (
    "record_id", "subject_id", "image_id", "split", "attribute", "scope", "veracity", "rumor_channel", "suspect",
    "corrects",
)  # fmt: skip
"""The columns of all records that are held in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureGroup:
    """Pictures that lie in one row group of one file.

    Args:
        path: The file.
        row_group: Number of the row group in it.
        rows: Row of that group by image_id.
    """

    path: Path
    row_group: int
    rows: dict[str, int]


def record_index(dataset: OffsideDataset) -> pl.DataFrame:
    """The columns `INDEXED` and `part` of all records, in the order of `record_rows`.

    Raises:
        DatasetError: If a file isn't readable.
    """
    return dataset.claims(INDEXED).select(*INDEXED, "part")


def record_rows(dataset: OffsideDataset) -> Iterator[Row]:
    """All records without their pictures: files in order, a batch of rows in memory at a time.

    Raises:
        DatasetError: If a file isn't readable.
    """
    columns = [name for name in arrow_schema("multimodal").names if name != "image"]
    for part in dataset.record_parts():
        for batch in dataset.batches(part, columns):
            yield from batch.iter_rows(named=True)


def image_rows(dataset: OffsideDataset) -> list[Row]:
    """The table of pictures without pictures; empty if there is none.

    Raises:
        DatasetError: If it isn't readable.
    """
    return dataset.frame("images", [name for name in arrow_schema("images").names if name != "image"]).to_dicts()


def picture_groups(dataset: OffsideDataset) -> list[PictureGroup]:
    """Where each picture lies: once, though many records and splits may share it.

    Raises:
        DatasetError: If a file isn't readable.
    """
    return [
        PictureGroup(
            path=dataset.pictures.files[int(str(file))],
            row_group=int(str(group)),
            rows=dict(found.select("image_id", "row").iter_rows()),
        )
        for (file, group), found in dataset.picture_places(tables=True).group_by("file", "group", maintain_order=True)
    ]


def read_pictures(group: PictureGroup) -> Iterator[tuple[str, bytes]]:
    """Encoded bytes by image_id of the pictures of a group that are stored.

    Raises:
        DatasetError: If the file isn't readable.
    """
    store = PictureStore([group.path])
    for image_id, row in group.rows.items():
        data = store.bytes_at(0, group.row_group, row)
        if data is not None:
            yield image_id, data
