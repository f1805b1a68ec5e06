"""Parquet files of a source, row by row; a bad row is one bad row, not a bad file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from offside_data.adapters._values import UnusableError
from offside_data.errors import SourceError

_BATCH_BYTES = 2**25
_BATCH_ROWS = 2048


def columns_of(path: Path) -> list[str]:
    """Names of a Parquet file's columns.

    Raises:
        SourceError: If it isn't one.
    """
    return list(schema_of(path).names)


def schema_of(path: Path) -> Any:
    """The Arrow schema of a Parquet file.

    Raises:
        SourceError: If it isn't one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path}: not readable as Parquet: {error}. Fetch it again.") from error


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any] | UnusableError]:
    """The rows of a Parquet file in order; for one that holds what Python can't, the reason.

    Args:
        path: The file.
        columns: Those to read; default: all.

    Raises:
        SourceError: If the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    read = 0
    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            # Rows with pictures come a few at a time.
            a_row = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
            size = min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(1, a_row)))
            for batch in file.iter_batches(batch_size=size, columns=columns):
                for row in _rows_of(batch):
                    yield row
                    read += 1
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"{path}: damaged after {read} rows: {error}. Fetch it again.") from error


def _rows_of(batch: Any) -> list[dict[str, Any] | UnusableError]:
    import pyarrow as pa

    try:
        names = batch.schema.names
        cells = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return [dict(zip(names, row, strict=True)) for row in cells]
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if batch.num_rows == 1:
            return [UnusableError(f"holds an unreadable value: {error}")]
        return [row for i in range(batch.num_rows) for row in _rows_of(batch.slice(i, 1))]
