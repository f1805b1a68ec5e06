"""Parquet files of a dataset: written so that a shared picture lies there once, read without copies of it.

Rows come ordered by picture. A row group never cuts a picture's records apart, and the picture column
is dictionary-encoded without a limit on the dictionary's size, so each picture is stored once a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import DatasetError

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

Row = dict[str, Any]

TABLES = {"subjects": "subject_id", "images": "image_id"}
"""The tables of a dataset, each with the column that names its rows."""
TABLE_SPLIT = "train"
"""How `datasets` calls the only split of a table."""
ROWS_PER_GROUP = 1_000
"""Rows of a row group, about: a group ends where a picture ends."""
ROWS_PER_SHARD = 100_000
"""Rows of a file, about, unless the caller says otherwise."""
_NO_LIMIT = 2**30
_PICTURES = "image.bytes"


def id_column(part: str) -> str:
    """The column that names the rows of a part: a table, or a `config/split` of records."""
    return TABLES.get(part, "record_id")


def cut_by_picture(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Cut rows into runs of at least `size` (but the last), never between two rows of one picture."""
    run: list[Row] = []
    for row in rows:
        if len(run) >= size and row.get("image_id") != run[-1].get("image_id"):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def write_file(path: Path, rows: Iterable[Row], features: datasets.Features) -> int:
    """Write one Parquet file and return the size of its rows in memory, in bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = features.arrow_schema  # Its metadata lets `datasets` restore the features.
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=True, dictionary_pagesize_limit=_NO_LIMIT
    ) as writer:
        for group in cut_by_picture(rows, ROWS_PER_GROUP):
            table = pa.Table.from_pylist(group, schema=schema)
            size += table.nbytes
            writer.write_table(table, row_group_size=len(group))
    return size


def write_shards(
    folder: Path,
    stem: str,
    rows: Sequence[Row],
    features: datasets.Features,
    rows_per_shard: int | None = None,
) -> tuple[list[Path], int]:
    """Write `rows` as `STEM-00000-of-0000N.parquet`; returns the files and the rows' size in memory."""
    runs = list(cut_by_picture(rows, rows_per_shard or ROWS_PER_SHARD))
    paths = [folder / f"{stem}-{number:05d}-of-{len(runs):05d}.parquet" for number in range(len(runs))]
    sizes = [write_file(path, run, features) for path, run in zip(paths, runs, strict=True)]
    return paths, sum(sizes)


def read_table(paths: Sequence[Path], features: datasets.Features) -> pa.Table:
    """Read Parquet files into one table that holds each distinct picture once a row group.

    Whoever wrote them, the columns come in the order and types of `features`, but `image.bytes` as an
    Arrow dictionary.

    Raises:
        DatasetError: If a file isn't readable Parquet, or its columns aren't those of `features`.
    """
    import pyarrow as pa

    return pa.concat_tables(_read_file(path, features) for path in paths)


def _read_file(path: Path, features: datasets.Features) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, read_dictionary=[_PICTURES], partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: not readable as Parquet: {error}. Write or fetch the dataset again.") from error
    missing, unknown = features.keys() - set(table.column_names), set(table.column_names) - features.keys()
    if missing or unknown:
        raise DatasetError(
            f"{path}: its columns aren't the schema's: missing {sorted(missing)}, unknown {sorted(unknown)}."
        )
    schema = features.arrow_schema
    if "image" in features:
        pictures = pa.struct({"bytes": pa.dictionary(pa.int32(), pa.binary()), "path": pa.string()})
        schema = schema.set(schema.get_field_index("image"), pa.field("image", pictures))
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise DatasetError(f"{path}: a column's type isn't the schema's: {error}") from error


def unpacked_size(table: pa.Table) -> int:
    """Bytes that `table` takes once every row has its own copy of its picture."""
    import pyarrow.compute as pc

    size: int = table.nbytes
    if "image" in table.column_names:
        for chunk in table.column("image").chunks:
            pictures = chunk.field("bytes")
            lengths = pc.binary_length(pictures.dictionary)
            size += pc.sum(lengths.take(pictures.indices)).as_py() or 0
    return size
