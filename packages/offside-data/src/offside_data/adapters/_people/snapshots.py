"""Local snapshots of Hub datasets: which Parquet file belongs to which config, their rows and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from offside_data.adapters._pictures import confined
from offside_data.adapters._values import UnusableError, folded_key, kind_of, unpack
from offside_data.errors import SourceError

_DEPTH = 4
_ROWS = 32
_DATA_ENDINGS = (".parquet", ".arrow", ".json", ".jsonl", ".csv", ".zip")


@dataclass(frozen=True, slots=True)
class Table:
    """One Parquet file of a config: its path, and its name in the source."""

    config: str
    path: Path
    name: str


def find_tables(source: Path, config_of: Callable[[str], str | None]) -> tuple[list[Table], list[str]]:
    """The Parquet files of a snapshot, of one of its folders, or one file of it.

    Args:
        source: A file or folder.
        config_of: The config that a folder's name stands for, or null.

    Returns:
        The tables, those of a config together in the order of their names, and the names of other data files.
        A single file that no folder's name tells about is a table of config `""`.
    """
    here = Path(os.path.abspath(source))  # Links stay: in the Hub's cache files are links to files of other names.
    if source.is_file():
        config = config_of(here.parent.name) or config_of(here.stem)
        return [Table(config or "", source, source.name)], []
    tables, others = [], []
    for path in files_below(source, _DATA_ENDINGS):
        place = path.relative_to(source)
        folders = [*place.parts[:-1], here.name]
        config = next((found for found in map(config_of, folders) if found), None)
        if config is None or path.suffix != ".parquet":
            others.append(place.as_posix())
        else:
            tables.append(Table(config, path, place.as_posix()))
    return sorted(tables, key=lambda table: (table.config, table.name)), others


def files_below(source: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files of a folder whose names end so, sorted; a few levels deep, without hidden folders."""
    found: list[Path] = []
    for folder, inside, names in os.walk(source):
        depth = len(Path(folder).relative_to(source).parts)
        inside[:] = [name for name in inside if not name.startswith(".") and depth < _DEPTH - 1]
        found += [Path(folder, name) for name in names if name.endswith(endings)]
    return sorted(path for path in found if path.is_file())


def columns_of(path: Path) -> list[str]:
    """Names of a Parquet file's columns.

    Raises:
        SourceError: If it isn't one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names: list[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path}: not readable as Parquet: {error}. Fetch it again.") from error
    return names


def has_column(
    source: Path, config_of: Callable[[str], str | None], names: Collection[str], *, in_config: bool = False
) -> bool:
    """Whether a table of a snapshot has one of these columns; never raises.

    Args:
        source: A file or folder.
        config_of: The config that a folder's name stands for, or null.
        names: Columns, one of which is enough.
        in_config: Only tables whose config is known count.
    """
    wanted = {folded_key(name) for name in names}
    try:
        tables, _ = find_tables(source, config_of)
        paths = [t.path for t in tables if t.path.suffix == ".parquet" and (t.config or not in_config)]
        return any(wanted & set(map(folded_key, columns_of(path))) for path in paths)
    except (SourceError, OSError):
        return False


def read_rows(table: Table, known: Collection[str]) -> Iterator[tuple[int, dict[str, Any] | UnusableError]]:
    """The rows of a table with their positions; of each the columns that are known.

    Raises:
        SourceError: If the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = {folded_key(name) for name in known}
    columns = [name for name in columns_of(table.path) if folded_key(name) in wanted]
    if not columns:
        return
    index = 0
    try:
        with pq.ParquetFile(table.path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
                for place in range(batch.num_rows):
                    yield index, _row(batch.slice(place, 1))
                    index += 1
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{table.path}: damaged after {index} rows: {error}. Fetch it again.") from error


def _row(batch: Any) -> dict[str, Any] | UnusableError:
    try:
        row: dict[str, Any] = batch.to_pylist()[0]
    except ValueError as error:  # E.g. text that isn't UTF-8.
        return UnusableError(f"the row can't be read: {error}")
    return row


# ---------------------------------------------------------------------------------------------
# Pictures


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a cell says of a picture: its encoded bytes, or where it lies."""

    data: bytes | None = None
    path: str | None = None


def as_pixels(value: Any, what: str) -> Pixels:
    """A picture's cell: `{bytes, path}`, bytes alone, or a path.

    Raises:
        UnusableError: If it is none of these, or empty.
    """
    if isinstance(value, Mapping):
        data, path = value.get("bytes"), value.get("path")
        value = data if data is not None else path
    if isinstance(value, bytes) and value:
        return Pixels(data=value)
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return Pixels(path=value)
    if value is None or (isinstance(value, str | bytes) and not value.strip()):
        raise UnusableError(f"{what} is missing: the cell holds no picture")
    raise UnusableError(f"{what} must be bytes or a path, is {kind_of(value)}")


def as_pixels_list(value: Any, what: str) -> list[Pixels | UnusableError]:
    """The pictures of a cell that may hold one or a list of them; for each that can't be used, why.

    Raises:
        UnusableError: If the cell holds none at all.
    """
    value = unpack(value, what) if hasattr(value, "tolist") else value
    if not isinstance(value, list | tuple):
        return [as_pixels(value, what)]
    if not value:
        raise UnusableError(f"{what} is missing: the list of pictures is empty")
    found: list[Pixels | UnusableError] = []
    for place, item in enumerate(value):
        try:
            found.append(as_pixels(item, f"{what}[{place}]"))
        except UnusableError as problem:
            found.append(problem)
    return found


def places_of(path: str, bases: Sequence[Path], image_dirs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Where a picture may lie: as written, then without its first folders, never outside the given ones.

    Args:
        path: As the source writes it.
        bases: Folders of the source, the likeliest first.
        image_dirs: Folders that the user named.
    """
    written = PurePosixPath(path.replace("\\", "/"))
    folders = [*image_dirs, *bases]
    parts = [part for part in written.parts if part != written.anchor]
    candidates = [folder / PurePosixPath(*parts[skipped:]) for skipped in range(len(parts)) for folder in folders]
    return confined(candidates, folders)
