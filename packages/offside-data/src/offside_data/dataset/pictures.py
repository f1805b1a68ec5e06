"""Pictures where they lie: in the Parquet files of a dataset, read when they are needed and never all of them.

Rows carry the *place* of their picture (file, row group, row) instead of its bytes; `StoredImage` is such a place
that looks like an `EncodedImage`. Whoever goes through rows in the order of their files reads every row group once.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.digest import sha256_of
from offside_data.errors import DatasetError
from offside_data.files import temporary_folder

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

_MEMORY = 2**32 - 1
"""Number of the file that is none: of pictures that are held in memory."""
_HELD_PER_GROUP = 256
_SPOOLED_PER_GROUP = 64
_GROUPS_KEPT = 8
"""Row groups whose pictures stay in memory: rows near each other show pictures near each other."""


class PictureStore:
    """The Parquet files that pictures lie in, by number.

    Args:
        files: The first ones.
        guard: Called after a file was read; raises if the file isn't the one that it was.
    """

    def __init__(self, files: Sequence[Path] = (), guard: Callable[[], None] | None = None) -> None:
        self.files: list[Path] = []
        self._guard = guard
        self._numbers: dict[Path, int] = {}
        self._held: list[bytes | None] = []  # The pictures of the group that isn't full yet.
        self._spilled: list[Path] = []
        self._places: dict[bytes | None, int] = {}  # By SHA-256.
        self._pictures = functools.lru_cache(_GROUPS_KEPT)(self._read)
        self._open = functools.lru_cache(_GROUPS_KEPT)(self._open_file)
        self._spilled_group = functools.lru_cache(_GROUPS_KEPT)(self._read_spilled)
        for file in files:
            self.add(file)

    def add(self, file: Path) -> int:
        """The number of a file; the same one each time."""
        if file not in self._numbers:
            self._numbers[file] = len(self.files)
            self.files.append(file)
        return self._numbers[file]

    def hold(self, image: Any) -> StoredImage:
        """A picture of any kind as one of this store: of another store by its place, any other in memory.

        Args:
            image: A `StoredImage`, an `EncodedImage`, or a mapping of `bytes` and `path`.
        """
        if isinstance(image, StoredImage):
            if image.store is self:
                return image
            if image.file != _MEMORY:
                return StoredImage(self, self.add(image.store.files[image.file]), image.group, image.row, image.path)
        data, path = (image["bytes"], image["path"]) if isinstance(image, Mapping) else (image.bytes, image.path)
        row = self._places.setdefault(data and hashlib.sha256(data).digest(), len(self._places))
        if row == len(self._spilled) * _HELD_PER_GROUP + len(self._held):
            self._held.append(data)
            if len(self._held) == _HELD_PER_GROUP:
                self._spill()
        return StoredImage(self, _MEMORY, row // _HELD_PER_GROUP, row % _HELD_PER_GROUP, path)

    @functools.cached_property
    def _folder(self) -> Path:
        return temporary_folder(self)

    def _spill(self) -> None:
        """Put held pictures aside on disk, so that any number of them can be held."""
        import pyarrow as pa
        import pyarrow.feather as feather

        self._spilled.append(self._folder / f"{len(self._spilled)}.arrow")
        feather.write_feather(pa.table({"bytes": pa.array(self._held, pa.binary())}), self._spilled[-1], "uncompressed")
        self._held = []

    def images(self, file: int, group: int) -> pa.DictionaryArray:
        """The encoded pictures of a row group: one entry a row, each distinct picture once in its dictionary.

        Raises:
            DatasetError: If the file can't be read.
        """
        return self._in_memory(group) if file == _MEMORY else self._pictures(file, group)

    def _in_memory(self, group: int) -> pa.DictionaryArray:
        import pyarrow as pa

        if group < len(self._spilled):
            return self._spilled_group(group)
        return pa.array(self._held, pa.binary()).dictionary_encode()

    def _read_spilled(self, group: int) -> pa.DictionaryArray:
        import pyarrow.feather as feather

        table = feather.read_table(self._spilled[group], memory_map=False)
        return table.column("bytes").combine_chunks().dictionary_encode()

    def bytes_at(self, file: int, group: int, row: int) -> bytes | None:
        """The encoded bytes of one picture; null where only a path is stored."""
        if file == _MEMORY and group == len(self._spilled):
            return self._held[row]
        pictures = self.images(file, group)
        index = pictures.indices[row].as_py()
        return None if index is None else pictures.dictionary[index].as_py()

    def take(self, places: pl.DataFrame) -> pa.DictionaryArray:
        """The pictures of some rows, each distinct one about once.

        Args:
            places: Columns `file`, `group` and `row`; rows of nulls have no picture. Neighbours in the same row
                group are read together, so rows in the order of their files cost one pass.

        Returns:
            A dictionary array of encoded bytes, one entry a row.

        Raises:
            DatasetError: If a file can't be read.
        """
        import polars as pl
        import pyarrow as pa

        order = places.with_row_index("_at").drop_nulls("file").sort("file", "group", "row", maintain_order=True)
        arrays, positions = [pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.binary()))], []
        for (file, group), rows in order.group_by("file", "group", maintain_order=True):
            pictures = self.images(int(str(file)), int(str(group)))
            arrays.append(compact(pictures.take(pa.array(rows["row"].to_numpy()))))
            positions.append(rows["_at"])
        merged = pa.chunked_array(arrays).unify_dictionaries().combine_chunks()
        if isinstance(merged, pa.ChunkedArray):  # Older releases give a chunked array back.
            merged = merged.chunk(0)
        # Back into the order of the rows that were asked for.
        found = pl.DataFrame({"_at": pl.concat(positions) if positions else pl.Series("_at", [], pl.UInt32)})
        where = found.with_row_index("_from")
        back = pl.DataFrame({"_at": range(len(places))}, schema={"_at": pl.UInt32}).join(where, on="_at", how="left")
        return merged.take(pa.array(back.sort("_at")["_from"].to_list(), pa.int64()))

    def hashes(self, places: pl.DataFrame) -> pl.Series:
        """Hex SHA-256 of the pictures of some rows, null where there is none, as a series `sha256`.

        Row groups are read and hashed one after the other, so that no more than some are in memory.

        Args:
            places: As `take`.

        Raises:
            DatasetError: If a file can't be read.
        """
        import polars as pl

        found = pl.Series("sha256", [None], pl.String).new_from_index(0, len(places))
        order = places.with_row_index("_at").drop_nulls("file")
        for (file, group), rows in order.group_by("file", "group", maintain_order=True):
            pictures = compact(self.images(int(str(file)), int(str(group))).take(rows["row"].to_arrow()))
            found = found.scatter(rows["_at"], sha256_of(pictures))
        return found

    def _open_file(self, file: int) -> pq.ParquetFile:
        return open_parquet(self.files[file], dictionary=("image.bytes",))

    def _read(self, file: int, group: int) -> pa.DictionaryArray:
        import pyarrow as pa

        path = self.files[file]
        try:
            table = self._open(file).read_row_group(group, columns=["image.bytes"])
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error
        if self._guard is not None:
            self._guard()
        chunks = [chunk.field("bytes") for chunk in table.column("image").chunks]
        merged = pa.chunked_array(chunks).unify_dictionaries().combine_chunks() if chunks else _nothing()
        return merged.chunk(0) if isinstance(merged, pa.ChunkedArray) else merged


def _nothing() -> pa.DictionaryArray:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.binary()))


def compact(pictures: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same without the pictures that no row shows, in the order in which rows show them first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    used = pc.unique(pictures.indices.drop_null())
    return pa.DictionaryArray.from_arrays(pc.index_in(pictures.indices, used), pictures.dictionary.take(used))


def unreadable(path: Path, error: Exception) -> DatasetError:
    """What is raised where a file isn't Parquet, or a damaged one."""
    why = " ".join(str(error).split()).rstrip(".")
    return DatasetError(f"{path}: not readable as Parquet: {why}. Write or fetch the dataset again.")


def open_parquet(path: Path, dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises:
        DatasetError: If it isn't one, or says that it holds more rows than it can.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names if dictionary else []
        known = [column for column in dictionary if column.partition(".")[0] in names]
        file = pq.ParquetFile(path, read_dictionary=known)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error
    rows, size = file.metadata.num_rows, path.stat().st_size
    if rows > size:  # Rows have names of their own, so there can't be: reading them would take all memory.
        raise DatasetError(
            f"{path}: says that {rows:,} rows are in its {size:,} bytes, which can't be. Write or fetch the dataset "
            "again."
        )
    return file


def require_embedded(path: Path | str, names: Sequence[str | None]) -> None:
    """Refuse pictures of which only a path is stored: whoever wrote it would have files of this machine read.

    Args:
        path: Where they stand.
        names: Their paths, of those that have no bytes.

    Raises:
        DatasetError: If there are any.
    """
    if names:
        raise DatasetError(
            f"{path}: {len(names):,} pictures aren't in it but named by a path only ({names[0]!r}), and no file "
            "outside of a dataset is read for it. Ingest the dataset again, so that its pictures are embedded; where "
            "it is somebody else's, don't trust it."
        )


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture that lies in a Parquet file; `bytes` reads it.

    Args:
        store: The files.
        file: Number of its file.
        group: Row group of that file.
        row: Row of that group.
        path: The file name it is stored under.
    """

    store: PictureStore
    file: int
    group: int
    row: int
    path: str | None

    @property
    def bytes(self) -> Any:
        """The encoded bytes; null where only a path is stored."""
        return self.store.bytes_at(self.file, self.group, self.row)

    def place(self) -> dict[str, Any]:
        """The picture as the `image` column of a frame holds it."""
        return {"file": self.file, "group": self.group, "row": self.row, "path": self.path}


class PictureSpool:
    """A Parquet file that pictures go to while they come in, so that they aren't held; close it before they are read.

    Args:
        store: Knows the file.
        file: Where it is written.
    """

    def __init__(self, store: PictureStore, file: Path) -> None:
        self._store = store
        self._number = store.add(file)
        self._file = file
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[bytes] = []
        self._group = 0

    def add(self, data: bytes, path: str | None) -> StoredImage:
        """Take a picture in; the place that it will have. Neighbours are read together."""
        self._waiting.append(data)
        image = StoredImage(self._store, self._number, self._group, len(self._waiting) - 1, path)
        if len(self._waiting) == _SPOOLED_PER_GROUP:
            self._write()
        return image

    def close(self) -> None:
        """Write what is left."""
        if self._waiting:
            self._write()
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pictures = pa.array(self._waiting, pa.binary())
        table = pa.table({"image": pa.StructArray.from_arrays([pictures], ["bytes"])})
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="NONE")
        self._writer.write_table(table, row_group_size=len(table))
        self._waiting = []
        self._group += 1
