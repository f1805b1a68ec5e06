"""Sequences of frozen dataclasses that lie in memory as columns: a million of them take what their text takes, packed.

The last few chunks that were touched are Python objects, the others compressed Arrow tables; small sequences never
become any.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import types
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

T = TypeVar("T")

CHUNK = 10_000
"""Items of a chunk."""
_OPEN = 2
"""So many chunks are held as objects."""


class Chunked(Sequence[T], Generic[T]):
    """A sequence that grows at its end; its items are replaced, not changed.

    Args:
        kind: The dataclass: fields of text, numbers, further dataclasses of these, and tuples of texts or dataclasses.
        items: The first ones.
        without: Fields that are always null, and no columns.
    """

    def __init__(self, kind: type[T], items: Iterable[T] = (), *, without: Collection[str] = ()) -> None:
        self._kind = kind
        self._without = frozenset(without)
        self._size = CHUNK
        self._count = 0
        self._packed: dict[int, pa.Buffer] = {}
        # By chunk, the one last used last. What is in both is as it was packed.
        self._open: dict[int, list[T]] = {}
        self.extend(items)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[i] for i in range(self._count)[place]]
        chunk, inside = divmod(self._place(place), self._size)
        return self._chunk(chunk)[inside]

    def __setitem__(self, place: int, item: T) -> None:
        chunk, inside = divmod(self._place(place), self._size)
        self._chunk(chunk)[inside] = item
        self._packed.pop(chunk, None)

    def __iter__(self) -> Iterator[T]:
        for chunk in range(-(-self._count // self._size)):
            yield from list(self._open[chunk]) if chunk in self._open else self._unpack(chunk)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # It changes.

    def __iadd__(self, items: Iterable[T]) -> Chunked[T]:
        self.extend(items)
        return self

    def append(self, item: T) -> None:
        """Add an item."""
        chunk, inside = divmod(self._count, self._size)
        (self._chunk(chunk) if inside else self._opened(chunk, [])).append(item)
        self._packed.pop(chunk, None)
        self._count += 1

    def extend(self, items: Iterable[T]) -> None:
        """Add items."""
        for item in items:
            self.append(item)

    def rewritten(self, change: typing.Callable[[T], T | None]) -> Chunked[T]:
        """What `change` makes of the items, one by one; null takes one out. Chunk by chunk, this one becomes empty."""
        items = (changed for item in self.drained() if (changed := change(item)) is not None)
        return Chunked(self._kind, items, without=self._without)

    def drained(self) -> Iterator[T]:
        """Every item in order; a chunk that was gone through is given up, and in the end this sequence is empty."""
        count, self._count = self._count, 0
        for chunk in range(-(-count // self._size)):
            yield from self._open.pop(chunk, None) or self._unpack(chunk)
            self._packed.pop(chunk, None)

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Some fields of every item, in order."""
        for chunk in range(-(-self._count // self._size)):
            if chunk in self._packed:
                table = self._table(chunk, names)
                yield from zip(*(_values(table[name], self._hints[name]) for name in names), strict=True)
            else:
                yield from [tuple(getattr(item, name) for name in names) for item in self._open[chunk]]

    def patch(self, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Give items other values in some fields.

        Args:
            changes: By place, the new values by field.
        """
        for chunk, places in itertools.groupby(sorted(changes), key=lambda place: place // self._size):
            inside = {place % self._size: changes[place] for place in places}
            if chunk in self._open:
                items = self._open[chunk]
                for place, values in inside.items():
                    items[place] = dataclasses.replace(cast(Any, items[place]), **values)
                self._packed.pop(chunk, None)
                continue
            table = self._table(chunk)
            for name in {name: None for values in inside.values() for name in values}:
                column = _values(table[name], self._hints[name])
                for place, values in inside.items():
                    column[place] = values.get(name, column[place])
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(name), _array(column, self._hints[name]))
            self._packed[chunk] = _pack(table)

    def frames(self, *names: str) -> Iterator[pl.DataFrame]:
        """The columns, or those of these names, chunk by chunk."""
        import polars as pl

        for chunk in range(-(-self._count // self._size)):
            packed = chunk in self._packed
            table = self._table(chunk, names) if packed else self._columns_of(self._open[chunk], names)
            yield cast(pl.DataFrame, pl.from_arrow(table))

    # -----------------------------------------------------------------------------------------

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return {name: hint for name, hint in hints_of(cast(type, self._kind)).items() if name not in self._without}

    def _place(self, place: int) -> int:
        if not -self._count <= place < self._count:
            raise IndexError(f"there is no item {place} of {self._count}")
        return place % self._count

    def _chunk(self, chunk: int) -> list[T]:
        """A chunk as objects."""
        if chunk in self._open:
            if chunk != next(reversed(self._open)):
                self._open[chunk] = self._open.pop(chunk)
            return self._open[chunk]
        return self._opened(chunk, self._unpack(chunk))

    def _opened(self, chunk: int, items: list[T]) -> list[T]:
        if len(self._open) >= _OPEN:
            oldest = next(iter(self._open))
            done = self._open.pop(oldest)
            if oldest not in self._packed:
                self._packed[oldest] = _pack(self._columns_of(done))
        self._open[chunk] = items
        return items

    def _columns_of(self, items: list[T], names: Sequence[str] = ()) -> pa.Table:
        import pyarrow as pa

        wanted = {name: self._hints[name] for name in names or self._hints}
        arrays = {name: _array([getattr(item, name) for item in items], hint) for name, hint in wanted.items()}
        return pa.table(arrays)

    def _table(self, chunk: int, names: Sequence[str] = ()) -> pa.Table:
        import pyarrow as pa

        schema = list(self._hints)
        options = pa.ipc.IpcReadOptions(included_fields=[schema.index(name) for name in names] or None)
        with pa.ipc.open_stream(self._packed[chunk], options=options) as stream:
            return stream.read_all()

    def _unpack(self, chunk: int) -> list[T]:
        table, empty = self._table(chunk), dict.fromkeys(self._without)
        return _objects(self._kind, {name: table[name] for name in self._hints}, self._hints, empty)


def _pack(table: pa.Table) -> pa.Buffer:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return sink.getvalue()


# ---------------------------------------------------------------------------------------------
# Fields as columns


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, without `None`."""
    hints = typing.get_type_hints(kind)
    return {f.name: _without_null(hints[f.name]) for f in dataclasses.fields(kind)}


def _without_null(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (each for each in typing.get_args(hint) if each is not types.NoneType)
    return str if typing.get_origin(hint) is typing.Literal else hint


def _array(values: Sequence[Any], hint: Any) -> pa.Array:
    """Values of one field as an Arrow array."""
    import pyarrow as pa

    if typing.get_origin(hint) is tuple:
        lengths = itertools.accumulate(map(len, values), initial=0)
        flat = _array([item for value in values for item in value], typing.get_args(hint)[0])
        return pa.ListArray.from_arrays(pa.array(lengths, pa.int32()), flat)
    if dataclasses.is_dataclass(hint):
        hints = hints_of(cast(type, hint)).items()
        arrays = {n: _array([None if v is None else getattr(v, n) for v in values], h) for n, h in hints}
        missing = pa.array([value is None for value in values], pa.bool_())
        return pa.StructArray.from_arrays(list(arrays.values()), names=list(arrays), mask=missing)
    return pa.array(values, {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[hint])


def _values(column: pa.ChunkedArray | pa.Array, hint: Any) -> list[Any]:
    """The values of an Arrow array as the dataclass has them."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if typing.get_origin(hint) is tuple:
        ends, flat = column.offsets.to_pylist(), column.values
        items = _values(flat, typing.get_args(hint)[0]) if len(flat) else []
        return [tuple(items[start:end]) if end > start else () for start, end in itertools.pairwise(ends)]
    if dataclasses.is_dataclass(hint):
        kind = cast(type, hint)
        found: list[Any] = _objects(kind, {name: column.field(name) for name in hints_of(kind)}, hints_of(kind), {})
        return [item if there else None for item, there in zip(found, column.is_valid().to_pylist(), strict=True)]
    return cast(list[Any], column.to_pylist())


def _objects(kind: type[T], columns: Mapping[str, Any], hints: Mapping[str, Any], empty: dict[str, Any]) -> list[T]:
    names = tuple(columns)
    rows = zip(*(_values(column, hints[name]) for name, column in columns.items()), strict=True)
    return [kind(**dict(zip(names, row, strict=True)), **empty) for row in rows]
