"""Rows as Python objects: frames to records and back, a batch at a time.

A record made of a frame has its picture as a `StoredImage`, which reads its bytes only when somebody asks for them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.dataset.pictures import PictureStore, StoredImage
from offside_data.dataset.storage import Row, frame_schema
from offside_data.schema import ClaimValue, Record, SourceRecord

if TYPE_CHECKING:
    import polars as pl

_FIELDS = tuple(field.name for field in dataclasses.fields(Record))
_EMPTY: dict[str, Any] = {
    field.name: None if field.default is dataclasses.MISSING else field.default for field in dataclasses.fields(Record)
}


def records_of(frame: pl.DataFrame, store: PictureStore) -> list[Record]:
    """The records of a frame. Columns that it lacks have their default, so keep changes to the columns that were read.

    Args:
        frame: Rows of records.
        store: The files that its pictures lie in.
    """
    whole = len(set(_FIELDS) & set(frame.columns)) == len(_FIELDS)
    return [Record.from_row(row if whole else {**_EMPTY, **row}) for row in rows_of(frame, store)]


def rows_of(frame: pl.DataFrame, store: PictureStore) -> list[Row]:
    """The rows of a frame as plain mappings; `image` is a `StoredImage` or null."""
    rows = frame.to_dicts()
    if "image" in frame.columns:
        for row in rows:
            if row["image"] is not None:
                row["image"] = StoredImage(store, **row["image"])
    return rows


def frame_of(
    rows: Iterable[Record | Mapping[str, Any]], config: str, store: PictureStore, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """A frame of records or plain rows.

    Args:
        rows: Records, or rows of a table; columns that a row lacks are null.
        config: Whose features they have.
        store: Takes in their pictures.
        columns: Which columns; all if null.

    Raises:
        polars.exceptions.PolarsError: If a value doesn't fit its column.
    """
    import polars as pl

    rows = list(rows)
    schema = frame_schema(config)
    return pl.DataFrame(
        [
            pl.Series(name, _column(rows, name, store), schema[name], strict=False)
            for name in (schema if columns is None else columns)
        ]
    )


def _column(rows: Sequence[Record | Mapping[str, Any]], name: str, store: PictureStore) -> list[Any]:
    """One field of all rows as plain values, a picture by its place."""
    values = [getattr(row, name, None) if isinstance(row, Record) else row.get(name) for row in rows]
    if name == "image":
        return [None if value is None else store.hold(value).place() for value in values]
    return [_plain(value) for value in values] if any(isinstance(value, _NESTED) for value in values) else values


_NESTED = (tuple, ClaimValue, SourceRecord)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    return {field.name: getattr(value, field.name) for field in _fields_of(value.__class__)}


@functools.cache
def _fields_of(kind: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)
