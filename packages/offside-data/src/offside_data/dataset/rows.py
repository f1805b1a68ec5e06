"""Rows as Python objects: frames to records and back, a batch at a time.

A record made of a frame has its picture as a `StoredImage`, which reads its bytes only when somebody asks for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.dataset.pictures import PictureStore, StoredImage
from offside_data.dataset.storage import Row, frame_schema
from offside_data.schema import Record

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


def frame_of(rows: Iterable[Record | Mapping[str, Any]], config: str, store: PictureStore) -> pl.DataFrame:
    """A frame of records or plain rows.

    Args:
        rows: Records, or rows of a table; columns that a row lacks are null.
        config: Whose features they have.
        store: Takes in their pictures.

    Raises:
        polars.exceptions.PolarsError: If a value doesn't fit its column.
    """
    return frame_of_columns(rows, list(frame_schema(config)), config, store)


def frame_of_columns(
    rows: Iterable[Record | Mapping[str, Any]], columns: Sequence[str], config: str, store: PictureStore
) -> pl.DataFrame:
    """The same with some columns alone."""
    import polars as pl

    schema = {name: frame_schema(config)[name] for name in columns}
    plain = [row.to_row() if isinstance(row, Record) else row for row in rows]
    made = [{name: row.get(name) for name in columns} for row in plain]
    if "image" in columns:
        for row in made:
            if row["image"] is not None:
                row["image"] = store.hold(row["image"]).place()
    return pl.DataFrame(made, schema=schema, strict=False, orient="row")
