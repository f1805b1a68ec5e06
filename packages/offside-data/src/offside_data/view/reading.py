"""What the view reads of a dataset: columns without pictures, rows in batches, pictures by row group."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import DatasetError
from offside_data.schema import image_features, record_features, subject_features

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset

Row = dict[str, Any]

INDEXED = (
    "record_id", "subject_id", "image_id", "split", "attribute", "scope", "veracity", "rumor_channel", "suspect",
    "corrects",
)  # fmt: skip
"""The columns of all records that are held in memory at once."""
_BATCH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureGroup:
    """Pictures that lie in one row group of one file.

    Args:
        path: The file.
        row_group: Number of the row group in it.
        image_ids: The pictures that are to be read from it.
    """

    path: Path
    row_group: int
    image_ids: tuple[str, ...]


def record_index(dataset: OffsideDataset) -> pl.DataFrame:
    """The columns `INDEXED` and `part` of all records, in the order of `record_rows`.

    Raises:
        DatasetError: If a file isn't readable.
    """
    import polars as pl

    frames = [pl.DataFrame(schema=dict.fromkeys((*INDEXED, "part"), pl.String))]
    for part, path in _record_files(dataset):
        with _readable(path):
            table = pl.scan_parquet(path, hive_partitioning=False).select(pl.col(INDEXED).cast(pl.String))
            frames.append(table.with_columns(part=pl.lit(part)).collect())
    return pl.concat(frames)


def record_rows(dataset: OffsideDataset) -> Iterator[Row]:
    """All records without their pictures: files in order, a batch of rows in memory at a time.

    Raises:
        DatasetError: If a file isn't readable.
    """
    import pyarrow.parquet as pq

    columns = [name for name in record_features() if name != "image"]
    for _, path in _record_files(dataset):
        with _readable(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=columns):
                yield from batch.to_pylist()


def subject_rows(dataset: OffsideDataset) -> list[Row]:
    """The table of subjects; empty if there is none.

    Raises:
        DatasetError: If it isn't readable.
    """
    return _table(dataset, "subjects", list(subject_features()))


def image_rows(dataset: OffsideDataset) -> list[Row]:
    """The table of pictures without pictures; empty if there is none.

    Raises:
        DatasetError: If it isn't readable.
    """
    return _table(dataset, "images", [name for name in image_features() if name != "image"])


def picture_groups(dataset: OffsideDataset) -> list[PictureGroup]:
    """Where each picture lies: once, though many records and splits may share it.

    Ids in it may turn out to have no picture stored.

    Raises:
        DatasetError: If a file isn't readable.
    """
    import pyarrow.parquet as pq

    paths = [path for part, path in _record_files(dataset) if part.startswith("multimodal/")]
    if "images" in dataset.parts():
        paths += dataset.paths("images")
    seen: set[str] = set()
    groups = []
    for path in paths:
        with _readable(path), pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                ids = file.read_row_group(number, ["image_id"]).column("image_id").to_pylist()
                new = tuple(dict.fromkeys(key for key in ids if key is not None and key not in seen))
                seen.update(new)
                if new:
                    groups.append(PictureGroup(path=path, row_group=number, image_ids=new))
    return groups


def read_pictures(group: PictureGroup) -> Iterator[tuple[str, bytes]]:
    """Encoded bytes by image_id of the pictures of a group that are stored.

    Raises:
        DatasetError: If the file isn't readable.
    """
    import pyarrow.parquet as pq

    left = set(group.image_ids)
    with _readable(group.path), pq.ParquetFile(group.path, read_dictionary=["image.bytes"]) as file:
        for batch in file.read_row_group(group.row_group, ["image_id", "image"]).to_batches():
            pictures = batch.column("image").flatten()[0]
            for place, key in enumerate(batch.column("image_id").to_pylist()):
                if key in left and pictures[place].is_valid:
                    left.remove(key)
                    yield key, pictures[place].as_py()


def _record_files(dataset: OffsideDataset) -> list[tuple[str, Path]]:
    return [(part, path) for part in dataset.files() for path in dataset.paths(part)]


def _table(dataset: OffsideDataset, name: str, columns: Collection[str]) -> list[Row]:
    import pyarrow.parquet as pq

    if name not in dataset.parts():
        return []
    rows: list[Row] = []
    for path in dataset.paths(name):
        with _readable(path):
            rows += pq.read_table(path, columns=list(columns), partitioning=None).to_pylist()
    return rows


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    import polars as pl
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, KeyError, OSError) as error:
        raise DatasetError(f"{path}: not readable as Parquet: {error}. Write or fetch the dataset again.") from error
