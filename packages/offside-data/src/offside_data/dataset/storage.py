"""Parquet files of a dataset: written so that a shared picture lies there once, read by columns and in batches.

Rows come ordered by picture. A row group has at most 100 rows with pictures, which is what the Hub's viewer can show,
and doesn't cut a picture's records apart unless there are more of them; the picture column is dictionary-encoded
without a limit on the dictionary's size, so each picture is stored once.

In memory, rows are a polars *frame* whose `image` column holds the place of the picture (`dataset.pictures`)
instead of its bytes.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.pictures import PictureStore, compact, open_parquet, require_embedded, unreadable
from offside_data.errors import DatasetError
from offside_data.schema import CONFIGS, SPLITS, arrow_types, features_of

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

Row = dict[str, Any]

TABLES = {"subjects": "subject_id", "images": "image_id"}
"""The tables of a dataset, each with the column that names its rows."""
TABLE_SPLIT = "train"
"""How `datasets` calls the only split of a table."""
ROWS_PER_GROUP = 1_000
"""Rows of a row group of texts, at most, about."""
PICTURES_PER_GROUP = 100
"""Rows of a row group with pictures, at most: more make the Hub's viewer run out of memory."""
ROWS_PER_SHARD = 100_000
"""Rows of a file, at most, unless the caller says otherwise."""
ROWS_PER_BATCH = 20_000
"""Rows of a batch, about: a batch is whole row groups."""
_NO_LIMIT = 2**30
_SHARD = re.compile(r"\d{5}-of-(\d{5})\.parquet")
"""What a file's name says after the split: which one it is, of how many."""
_PICTURES = "image.bytes"


def id_column(part: str) -> str:
    """The column that names the rows of a part: a table, or a `config/split` of records."""
    return TABLES.get(part, "record_id")


def config_of(part: str) -> str:
    """The config that a part belongs to: a table is its own."""
    return part.partition("/")[0]


# ---------------------------------------------------------------------------------------------
# Frames


@functools.cache
def arrow_schema(config: str) -> pa.Schema:
    """The Arrow schema of a config's files, as they are read."""
    return arrow_types(config)


@functools.cache
def frame_schema(config: str) -> pl.Schema:
    """Columns of a config's frames; `image` is the place of a picture, null where there is none."""
    import polars as pl

    empty = pl.from_arrow(arrow_schema(config).empty_table())
    assert isinstance(empty, pl.DataFrame)
    places = {"file": pl.UInt32, "group": pl.UInt32, "row": pl.UInt32, "path": pl.String}
    return pl.Schema({name: pl.Struct(places) if name == "image" else kind for name, kind in empty.schema.items()})


def read_batches(
    path: Path,
    config: str,
    store: PictureStore,
    columns: Sequence[str] | None = None,
    size: int = ROWS_PER_BATCH,
) -> Iterator[pl.DataFrame]:
    """Read a Parquet file in frames of whole row groups, without its pictures.

    Args:
        path: The file.
        config: Whose features it has.
        store: Knows the file afterwards; `image` says where in it a picture lies.
        columns: Which columns, in their own order; all if null.
        size: Rows of a frame, at least, but for the last.

    Raises:
        DatasetError: If it isn't readable Parquet, or its columns aren't those of the config.
    """
    file = open_parquet(path)
    _require_columns(path, file.schema_arrow.names, arrow_schema(config).names)
    wanted = [name for name in arrow_schema(config).names if columns is None or name in columns]
    groups: list[int] = []
    rows = 0
    for group in range(file.metadata.num_row_groups):
        groups.append(group)
        rows += file.metadata.row_group(group).num_rows
        if rows >= size or group == file.metadata.num_row_groups - 1:
            yield _read_groups(path, file, groups, config, wanted, store)
            groups, rows = [], 0


def _require_columns(path: Path, names: Sequence[str], known: Sequence[str]) -> None:
    missing, unknown = sorted(set(known) - set(names)), sorted(set(names) - set(known))
    if missing or unknown:
        raise DatasetError(f"{path}: its columns aren't the schema's: missing {missing}, unknown {unknown}.")


def _read_groups(
    path: Path, file: pq.ParquetFile, groups: list[int], config: str, columns: list[str], store: PictureStore
) -> pl.DataFrame:
    import polars as pl
    import pyarrow as pa

    try:
        read = [name if name != "image" else "image.path" for name in columns]
        table = file.read_row_groups(groups, columns=read)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error
    schema = pa.schema([arrow_schema(config).field(name) for name in columns if name != "image"])
    frame = pl.from_arrow(cast_table(table.select(schema.names), schema, path))
    assert isinstance(frame, pl.DataFrame)
    if "image" in columns:
        sizes = [(group, file.metadata.row_group(group).num_rows) for group in groups]
        places = _places(path, _paths_of_pictures(path, file, table, sizes), sizes, store)
        frame = (frame.with_columns(places) if frame.width else places.to_frame()).select(columns)
    return frame


def _paths_of_pictures(
    path: Path, file: pq.ParquetFile, table: pa.Table, groups: Sequence[tuple[int, int]]
) -> pa.ChunkedArray:
    """The column of pictures, of which their paths alone were read."""
    import pyarrow as pa

    kind = file.schema_arrow.field("image").type
    if pa.types.is_null(kind):  # Some programs write a column without pictures so.
        return pa.chunked_array([pa.nulls(sum(rows for _, rows in groups), pa.struct({"path": pa.string()}))])
    if not pa.types.is_struct(kind) or {field.name for field in kind} != {"bytes", "path"}:
        raise DatasetError(f"{path}: the type of image isn't the schema's, bytes and path: {kind}.")
    return table.column("image")


def _places(path: Path, images: pa.ChunkedArray, groups: Sequence[tuple[int, int]], store: PictureStore) -> pl.Series:
    """Where the pictures of some row groups lie.

    Args:
        path: The file.
        images: Their paths, null where there is no picture.
        groups: Number and rows of each group.
        store: The files.
    """
    import polars as pl

    number = store.add(path)
    there = pl.Series("image", images.is_valid().to_pylist(), pl.Boolean)
    paths = pl.Series("path", [path for chunk in images.chunks for path in chunk.field("path").to_pylist()], pl.String)
    if (there & paths.is_null()).any():
        # A struct of nulls is the same as null: some writers can't tell them apart.
        stored = [valid for group, _ in groups for valid in store.images(number, group).is_valid().to_pylist()]
        there &= paths.is_not_null() | pl.Series(stored, dtype=pl.Boolean)
    place = pl.DataFrame(
        {
            "file": pl.repeat(number, len(paths), dtype=pl.UInt32, eager=True),
            "group": pl.Series([group for group, n in groups for _ in range(n)], dtype=pl.UInt32),
            "row": pl.Series([row for _, n in groups for row in range(n)], dtype=pl.UInt32),
            "path": paths,
        }
    )
    return place.select(pl.when(there).then(pl.struct(pl.all())).alias("image")).to_series()


def cast_table(table: pa.Table, schema: pa.Schema, where: Path | str) -> pa.Table:
    """A table in the types of a schema.

    Raises:
        DatasetError: If a column's type can't be the schema's.
    """
    import pyarrow as pa

    try:
        return table.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise DatasetError(f"{where}: a column's type isn't the schema's: {error}") from error


# ---------------------------------------------------------------------------------------------
# Writing


class PartWriter:
    """Writes the rows of one part, group by group, into numbered files.

    Args:
        folder: Where the files go.
        stem: How their names begin: a split or a table.
        config: Whose features the rows have.
        rows_per_shard: Rows of a file, about; null for the default. A table is always one file.
    """

    def __init__(self, folder: Path, stem: str, config: str, rows_per_shard: int | None = None) -> None:
        self.size = 0
        self.rows = 0
        self._folder, self._stem = folder, stem
        self._schema = features_of(config).arrow_schema  # Its metadata lets `datasets` restore the features.
        self._limit = _NO_LIMIT if stem in TABLES else rows_per_shard or ROWS_PER_SHARD  # A table is one file.
        self._files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._in_file = 0

    def write(self, frame: pl.DataFrame, pictures: pa.DictionaryArray | None) -> None:
        """Write rows that begin and end with a picture's records.

        Args:
            frame: The rows, sorted by picture, in the columns of the config.
            pictures: Encoded bytes, one entry a row, where the config has pictures.
        """
        table, column = self._table(frame), self._schema.get_field_index("image")
        shown = "image" in frame.columns and frame["image"].null_count() < len(frame)
        most = PICTURES_PER_GROUP if shown else ROWS_PER_GROUP
        for start, end in groups_by_picture(frame, min(most, self._limit)):
            if self._writer is None or self._in_file + end - start > self._limit:
                self._next_file()
            assert self._writer is not None
            group = table.slice(start, end - start)
            if pictures is not None:
                images = self._images(frame["image"][start:end], compact(pictures.slice(start, end - start)))
                group = group.add_column(column, _with_dictionary(self._schema).field("image"), images)
            self._writer.write_table(group, row_group_size=end - start)
            self._in_file += end - start
        self.rows += len(frame)

    def close(self) -> list[Path]:
        """The files, under their final names."""
        if self._writer is not None:
            self._writer.close()
        if self._stem in TABLES:
            return self._files
        named = []
        for number, path in enumerate(self._files):
            named.append(path.with_name(f"{self._stem}-{number:05d}-of-{len(self._files):05d}.parquet"))
            path.rename(named[-1])
        return named

    def _next_file(self) -> None:
        import pyarrow.parquet as pq

        if self._writer is not None:
            self._writer.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._stem}.parquet" if self._stem in TABLES else f"{self._stem}-{len(self._files):05d}.partial"
        self._files.append(self._folder / name)
        self._in_file = 0
        # Pictures are compressed already. The Arrow schema isn't stored: it would say dictionary, and `datasets`
        # restores the features from metadata of its own.
        leaves = [column for column in _leaves(self._schema) if column != "image.bytes"]
        self._writer = pq.ParquetWriter(
            self._files[-1],
            _with_dictionary(self._schema),
            compression={"image.bytes": "NONE"} | dict.fromkeys(leaves, "ZSTD")
            if "image" in self._schema.names
            else "ZSTD",
            use_dictionary=True,
            dictionary_pagesize_limit=_NO_LIMIT,
            store_schema=False,
        )
        self._writer.add_key_value_metadata(self._schema.metadata)

    def _table(self, frame: pl.DataFrame) -> pa.Table:
        """All columns but the pictures."""
        import polars as pl
        import pyarrow as pa

        plain = [name for name in self._schema.names if name != "image"]
        table = frame.select(plain).to_arrow(compat_level=pl.CompatLevel.oldest())
        table = table.cast(pa.schema([self._schema.field(name) for name in plain]))
        self.size += table.nbytes
        return table

    def _images(self, places: pl.Series, pictures: pa.DictionaryArray) -> pa.StructArray:
        """The column of pictures: bytes, and the file names that they are stored under."""
        import polars as pl
        import pyarrow as pa

        self.size += _unpacked(pictures) + 4 * len(pictures)
        paths = places.struct.field("path").to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
        fields = list(_with_dictionary(self._schema).field("image").type)
        return pa.StructArray.from_arrays([pictures, paths], fields=fields, mask=places.is_null().to_arrow())


def _unpacked(pictures: pa.DictionaryArray) -> int:
    """Bytes that pictures take once every row has its own copy."""
    import pyarrow.compute as pc

    return pc.sum(pc.binary_length(pictures.dictionary).take(pictures.indices)).as_py() or 0


def _with_dictionary(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    if "image" not in schema.names:
        return schema
    pictures = pa.struct({"bytes": pa.dictionary(pa.int32(), pa.binary()), "path": pa.string()})
    return schema.set(schema.get_field_index("image"), pa.field("image", pictures))


def _leaves(schema: pa.Schema) -> Iterator[str]:
    """Paths of the columns of a Parquet file."""
    import pyarrow as pa

    def within(path: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from within(f"{path}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from within(f"{path}.list.element", kind.value_type)
        else:
            yield path

    for field in schema:
        yield from within(field.name, field.type)


def cut_by_picture(frame: pl.DataFrame, size: int) -> list[tuple[int, int]]:
    """Runs of at least `size` rows (but the last), by start and end; none ends between two rows of one picture."""
    if "image_id" in frame.columns:
        pictures = frame["image_id"]
        firsts = (pictures.ne_missing(pictures.shift(1)) | pictures.is_null()).arg_true().to_list()
    else:
        firsts = list(range(0, len(frame), size))
    starts = [0] if len(frame) else []
    for first in firsts:
        if first - starts[-1] >= size:
            starts.append(first)
    return list(itertools.pairwise([*starts, len(frame)]))


def groups_by_picture(frame: pl.DataFrame, size: int) -> list[tuple[int, int]]:
    """Runs of at most `size` rows, by start and end, that end where a picture's rows end.

    Only a picture with more rows than that is cut, and so stored again.
    """
    groups: list[tuple[int, int]] = []
    for start, end in cut_by_picture(frame, 1):
        if groups and end - groups[-1][0] <= size:
            groups[-1] = groups[-1][0], end
        else:
            groups += [(first, min(first + size, end)) for first in range(start, end, size)]
    return groups


def write_file(path: Path, rows: Iterable[Row], features: datasets.Features) -> None:
    """Write rows of any features into one Parquet file; a picture that neighbours share lies there once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = features.arrow_schema
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=True, dictionary_pagesize_limit=_NO_LIMIT
    ) as writer:
        most = PICTURES_PER_GROUP if "image" in schema.names else ROWS_PER_GROUP
        for group in _cut_by_picture(rows, most):
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))


def _cut_by_picture(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Cut rows into runs of at most `size` that end where a picture's rows end; a picture of more rows is cut."""
    run: list[Row] = []
    for _, shown in itertools.groupby(rows, _picture_of):
        picture = list(shown)
        if run and len(run) + len(picture) > size:
            yield run
            run = []
        run += picture
        while len(run) > size:
            yield run[:size]
            run = run[size:]
    if run:
        yield run


def _picture_of(row: Row) -> Any:
    """What rows of one picture share; a row without one stands alone."""
    return row.get("image_id") or object()


# ---------------------------------------------------------------------------------------------
# Whole tables, as `datasets` takes them


def read_table(paths: Sequence[Path], features: datasets.Features) -> pa.Table:
    """Read Parquet files into one table that holds each distinct picture once a row group.

    Whoever wrote them, the columns come in the order and types of `features`, but `image.bytes` as an
    Arrow dictionary.

    Raises:
        DatasetError: If a file isn't readable Parquet, its columns aren't those of `features`, or of a picture only a
            path is stored.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _with_dictionary(features.arrow_schema)
    tables = []
    for path in paths:
        try:
            open_parquet(path)
            table = pq.read_table(path, read_dictionary=[_PICTURES], partitioning=None)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error
        _require_columns(path, table.column_names, schema.names)
        tables.append(cast_table(table.select(schema.names), schema, path))
        require_embedded(path, _named_only(tables[-1]))
    return pa.concat_tables(tables)


def _named_only(table: pa.Table) -> list[str | None]:
    """Paths of the pictures of which nothing else is stored."""
    import pyarrow.compute as pc

    if "image" not in table.column_names:
        return []
    found: list[str | None] = []
    for chunk in table.column("image").chunks:
        paths = pc.struct_field(chunk, "path")
        lost = pc.and_(pc.is_null(pc.struct_field(chunk, "bytes")), pc.is_valid(paths))
        found += paths.filter(lost).to_pylist()
    return found


def unpacked_size(table: pa.Table) -> int:
    """Bytes that `table` takes once every row has its own copy of its picture."""
    size: int = table.nbytes
    if "image" in table.column_names:
        size += sum(_unpacked(chunk.field("bytes")) for chunk in table.column("image").chunks)
    return size


def shard_paths(folder: Path, part: str) -> list[Path]:
    """The Parquet files of a part in a dataset folder, in order; none if there are none.

    Raises:
        DatasetError: If some are missing, left over from another version, or none of ours by their names.
    """
    if part in TABLES:
        return [path for path in [folder / "tables" / f"{part}.parquet"] if path.is_file()]
    config, _, split = part.partition("/")
    found = sorted((folder / "data" / config).glob(f"{split}-*.parquet"))
    names = [_SHARD.fullmatch(path.name.removeprefix(f"{split}-")) for path in found]
    for path, name in zip(found, names, strict=True):
        if name is None:
            raise DatasetError(
                f"{path}: by its name it isn't one of the files of {part}, but `datasets` would load it with them. "
                "Move it out of the dataset folder."
            )
    if any(name and int(name[1]) != len(found) for name in names):
        raise DatasetError(
            f"{found[0].parent}: {len(found)} files of {part}, but {found[0].name} is of another number: "
            "files are missing, or left over from another version. Write or fetch the dataset again."
        )
    return found


_OURS = re.compile(
    rf"data/(?:{'|'.join(CONFIGS)})/(?:{'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet|tables/(?:{'|'.join(TABLES)})\.parquet"
)


def is_dataset_file(name: str) -> bool:
    """Whether a file of a dataset folder has the name of a Parquet file of ours."""
    return _OURS.fullmatch(name) is not None


def stray_files(folder: Path) -> list[str]:
    """Names of the Parquet files that lie where a dataset's do, but are of no part: a copy, a table, an old split."""
    # Files that `datasets` can't tell from a part's aren't stray: that part can't be read (`shard_paths`).
    patterns = [f"data/{config}/{split}-*.parquet" for config in CONFIGS for split in SPLITS]
    patterns += [f"tables/{table}.parquet" for table in TABLES]
    ours = {path for pattern in patterns for path in folder.glob(pattern)}
    found = {path for name in ("data", "tables") for path in (folder / name).rglob("*") if path.is_file()}
    names = [path.relative_to(folder).as_posix() for path in found - ours]
    return sorted(name for name in names if name.lower().endswith(".parquet"))
