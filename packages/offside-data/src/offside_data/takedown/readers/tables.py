"""Parquet, Arrow, Feather and ORC: names of columns, metadata, every string and every picture, however deep."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq

from offside_data.takedown.readers._base import Blob, Nested, Piece, Values, decodings

_PARQUET, _ARROW, _FEATHER, _ORC = b"PAR1", b"ARROW1", b"FEA1", b"ORC"
_NAMES = (".parquet", ".arrow", ".feather", ".orc")
_STREAM = b"\xff\xff\xff\xff"
_KEYS = ("record_id", "image_id", "subject_id", "id")
_IDS = ("corrects", "derived_from", "twin_of")
_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_map)


def recognises(blob: Blob) -> bool:
    """By its signature, or by its name: a table that is broken is one that can't be read."""
    return blob.head.startswith((_PARQUET, _ARROW, _FEATHER, _ORC)) or blob.name.lower().endswith(_NAMES)


def read(blob: Blob) -> Iterator[Piece]:
    """Metadata, then the columns, row group by row group."""
    row = 1
    for part in _parts(blob):
        if isinstance(part, pa.Schema):
            yield from _schema(part)
            continue
        ids = next((part.column(key) for key in _KEYS if key in part.column_names), None)
        for name, array, rows in _leaves(part):
            yield from _values(name, array, functools.partial(_row, rows=rows, first=row, ids=ids))
        row += part.num_rows


def _row(at: int, rows: pa.Array | None, first: int, ids: pa.ChunkedArray | None) -> str:
    """How a row is called: its number, and its id where it has one."""
    place = at if rows is None else rows[at].as_py()
    if place is None:
        return "none"
    return f"row {first + place}" + (f" ({ids[place].as_py()})" if ids is not None else "")


def _parts(blob: Blob) -> Iterator[pa.Schema | pa.Table]:
    """The schema of a table, then its rows, some at a time."""
    with blob.open() as stream:
        if blob.head.startswith(_ARROW):
            file = pa.ipc.open_file(stream)
            yield file.schema
            for number in range(file.num_record_batches):
                yield pa.Table.from_batches([file.get_batch(number)])
        elif blob.head.startswith(_STREAM):
            reader = pa.ipc.open_stream(stream)
            yield reader.schema
            for batch in reader:
                yield pa.Table.from_batches([batch])
        elif blob.head.startswith(_ORC):
            orc = pa.orc.ORCFile(stream)
            yield orc.schema
            for number in range(orc.nstripes):
                yield pa.Table.from_batches([orc.read_stripe(number)])
        elif blob.head.startswith(_FEATHER):
            table = pa.feather.read_table(stream)
            yield table.schema
            yield table
        else:
            yield from _parquet(str(blob.path) if blob.path is not None else stream)


def _parquet(source: Any) -> Iterator[pa.Schema | pa.Table]:
    names = pq.read_schema(source).names
    if not isinstance(source, str):
        source.seek(0)
    with pq.ParquetFile(source, read_dictionary=["image.bytes"] if "image" in names else []) as parquet:
        schema = parquet.schema_arrow
        by = {b"created by": (parquet.metadata.created_by or "").encode()}
        yield schema.with_metadata({**by, **(schema.metadata or {}), **(parquet.metadata.metadata or {})})
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group)


def _schema(schema: pa.Schema) -> Iterator[Piece]:
    said = dict.fromkeys(_names(schema), "name of a column")
    for name, metadata in [("", schema.metadata), *_metadata(schema)]:
        for key, value in (metadata or {}).items():
            if key != b"ARROW:schema":  # The same once more, as Arrow packs it.
                said |= {text: f"metadata {name}".strip() for part in (key, value) for text in decodings(part)}
    yield Values.of(said)


def _names(kind: Any) -> Iterator[str]:
    """Names of columns, those in structs, too."""
    for number in range(len(kind.names) if isinstance(kind, pa.Schema) else kind.num_fields):
        field = kind.field(number)
        yield field.name
        yield from _names(field.type)


def _metadata(kind: Any) -> Iterator[tuple[str, Any]]:
    """Metadata of columns, those in structs, too."""
    for number in range(len(kind.names) if isinstance(kind, pa.Schema) else kind.num_fields):
        field = kind.field(number)
        yield field.name, field.metadata
        yield from _metadata(field.type)


def _leaves(table: pa.Table) -> Iterator[tuple[str, pa.Array, pa.Array | None]]:
    """The columns of plain values, those in structs and lists, too; and the row of each value if it isn't its own."""

    def within(name: str, array: pa.Array, rows: pa.Array | None) -> Iterator[tuple[str, pa.Array, pa.Array | None]]:
        kind = array.type
        if isinstance(kind, pa.BaseExtensionType):
            yield from within(name, array.storage, rows)
        elif pa.types.is_dictionary(kind):
            used = pc.unique(array.indices.drop_null())
            places = pc.index_in(used, array.indices)
            yield from within(name, array.dictionary.take(used), places if rows is None else rows.take(places))
            unused = pc.invert(pc.is_in(pa.array(range(len(array.dictionary))), used.cast(pa.int64())))
            if pc.any(unused).as_py():  # As after rows were taken out; they stand in the file.
                rest = array.dictionary.filter(unused)
                yield from within(f"{name}, a value of no row", rest, pa.nulls(len(rest), pa.int64()))
        elif pa.types.is_struct(kind):
            for number, field in enumerate(kind):
                yield from within(f"{name}.{field.name}", pc.struct_field(array, [number]), rows)
        elif pa.types.is_map(kind):
            entries = pa.ListArray.from_arrays(
                array.offsets,
                pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"]),
                mask=array.is_null(),
            )
            yield from within(name, entries, rows)
        elif any(is_list(kind) for is_list in _LISTS):
            parents = pc.list_parent_indices(array)
            yield from within(name, pc.list_flatten(array), parents if rows is None else rows.take(parents))
        elif pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind):
            yield name, pa.array([str(value) for value in array.to_pylist()]), rows
        elif not pa.types.is_null(kind):
            yield name, array, rows

    start = 0
    for batch in table.to_batches():
        rows = pa.array(range(start, start + len(batch)), pa.int64()) if start else None
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            yield from within(name, array, rows)
        start += len(batch)


def _values(name: str, array: pa.Array, row: Callable[[int], str]) -> Iterator[Piece]:
    """The distinct values of a column; `row` gives the row of a value by its place in the array."""
    if any(is_binary(array.type) for is_binary in _BINARY):
        for number, data in enumerate(pc.unique(array.drop_null()).to_pylist()):
            if data:
                yield Nested(f"{name}, picture or file {number + 1}", data)
        return
    if not (any(is_text(array.type) for is_text in _TEXTS) or (_holds_ids(name) and pa.types.is_integer(array.type))):
        return
    array = array.cast(pa.string()) if pa.types.is_string_view(array.type) else array
    distinct = pc.unique(array.drop_null())
    texts = distinct.cast(pa.string()).to_pylist()

    def place(number: int) -> str:
        return f"{name}, {row(pc.index(array, distinct[number]).as_py())}"

    yield Values(texts, place, _holds_ids(name))


def example(text: str) -> tuple[str, bytes]:
    """A map in Parquet."""
    column = pa.array([[("who", text)]], pa.map_(pa.string(), pa.string()))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"notes": column}), buffer)
    return "notes.parquet", buffer.getvalue()


def _holds_ids(column: str) -> bool:
    return column.endswith("_id") or column.rpartition(".")[2] in _IDS or column == "id"
