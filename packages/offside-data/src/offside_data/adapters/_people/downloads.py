"""Local downloads of Hub datasets: which Parquet file belongs to which config, and their rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.adapters import _parquet
from offside_data.adapters._parquet import columns_of
from offside_data.adapters._values import UnusableError, folded_key
from offside_data.errors import SourceError

_DEPTH = 4
_DATA_ENDINGS = (".parquet", ".arrow", ".json", ".jsonl", ".csv", ".zip")


@dataclass(frozen=True, slots=True)
class DownloadedTable:
    """One Parquet file of a config: its path, and its name in the source."""

    config: str
    path: Path
    name: str


def find_tables(source: Path, config_of: Callable[[str], str | None]) -> tuple[list[DownloadedTable], list[str]]:
    """The Parquet files of a download, of one of its folders, or one file of it.

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
        return [DownloadedTable(config or "", source, source.name)], []
    tables, others = [], []
    for path in files_below(source, _DATA_ENDINGS):
        place = path.relative_to(source)
        folders = [*place.parts[:-1], here.name]
        config = next((found for found in map(config_of, folders) if found), None)
        if config is None or path.suffix != ".parquet":
            others.append(place.as_posix())
        else:
            tables.append(DownloadedTable(config, path, place.as_posix()))
    return sorted(tables, key=lambda table: (table.config, table.name)), others


def files_below(source: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files of a folder whose names end so, sorted; a few levels deep, without hidden folders."""
    found: list[Path] = []
    for folder, inside, names in os.walk(source):
        depth = len(Path(folder).relative_to(source).parts)
        inside[:] = [name for name in inside if not name.startswith(".") and depth < _DEPTH - 1]
        found += [Path(folder, name) for name in names if name.endswith(endings)]
    return sorted(path for path in found if path.is_file())


def has_column(
    source: Path, config_of: Callable[[str], str | None], names: Collection[str], *, in_config: bool = False
) -> bool:
    """Whether a table of a download has one of these columns; never raises.

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


def read_rows(table: DownloadedTable, known: Collection[str]) -> Iterator[tuple[int, dict[str, Any] | UnusableError]]:
    """The rows of a table with their positions; of each the columns that are known.

    Raises:
        SourceError: If the file is damaged.
    """
    wanted = {folded_key(name) for name in known}
    columns = [name for name in columns_of(table.path) if folded_key(name) in wanted]
    return enumerate(_parquet.read_rows(table.path, columns)) if columns else iter(())
