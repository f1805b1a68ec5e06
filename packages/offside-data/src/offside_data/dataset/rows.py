"""Rows as Python objects: frames to records and back, a batch at a time.

A record made of a frame has its picture as a `StoredImage`, which reads its bytes only when somebody asks for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.dataset.pictures import PictureStore, StoredImage
from offside_data.dataset.storage import Row, arrow_schema, frame_schema
from offside_data.schema import ClaimValue, Record, SourceRecord, plain_value

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
        pyarrow.ArrowException: If a value doesn't fit its column.
    """
    import polars as pl
    import pyarrow as pa

    rows = list(rows)
    names = list(frame_schema(config)) if columns is None else list(columns)
    # By Arrow: polars takes many times as long to make nested columns of Python objects.
    plain = {
        name: pa.array(_column(rows, name), arrow_schema(config).field(name).type) for name in names if name != "image"
    }
    frame = pl.from_arrow(pa.table(plain))
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(_places(rows, store)).select(names) if "image" in names else frame


def _column(rows: Sequence[Record | Mapping[str, Any]], name: str) -> list[Any]:
    """One field of all rows as plain values."""
    values = [getattr(row, name, None) if isinstance(row, Record) else row.get(name) for row in rows]
    return [plain_value(value) for value in values] if any(isinstance(value, _NESTED) for value in values) else values


def _places(rows: Sequence[Record | Mapping[str, Any]], store: PictureStore) -> pl.Series:
    """Where the pictures of rows lie."""
    import polars as pl

    images = [row.image if isinstance(row, Record) else row.get("image") for row in rows]
    held = [None if image is None else store.hold(image) for image in images]
    fields = frame_schema("multimodal")["image"].fields  # type: ignore[attr-defined]
    columns = {f.name: pl.Series([h and getattr(h, f.name) for h in held], dtype=f.dtype) for f in fields}
    there = pl.Series("there", [h is not None for h in held], dtype=pl.Boolean)
    return (
        pl.DataFrame({**columns, "there": there})
        .select(pl.when("there").then(pl.struct(list(columns))).alias("image"))
        .to_series()
    )


_NESTED = (tuple, ClaimValue, SourceRecord)
