"""Tables of edits, read row by row: which record each row is about, and what its cells say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.adapters._tables.cells import text_of
from offside_data.adapters._tables.tables import SUFFIXES, TableReading, read_table
from offside_data.editing.columns import CLEAR, COLUMNS, KEY, MADE, column_of, read
from offside_data.errors import UsageError, listed
from offside_data.invisible import invisible_in
from offside_data.plugins import unknown_name_message
from offside_data.progress import log

SHOWN = 20
_NAMELESS = re.compile(r"column \d+")
_SECOND = re.compile(r"(.+) \(\d+\)")


@dataclass(frozen=True, kw_only=True)
class EditTableOptions:
    """How to read a table.

    Args:
        encoding: Of a CSV file, e.g. `cp1250`; default: UTF-8 or UTF-16, else Windows-1252.
        delimiter: Of a CSV file; default: the one of `, ; | tab` that fits.
        sheet: Name or number (from 1) of a workbook's sheet; default: the one with known columns.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What one row asks for.

    Args:
        place: Where a person finds it, e.g. `row 5`.
        record_id: The record.
        cells: Text by column, of the cells that hold something; `CLEAR` empties a field.
    """

    place: str
    record_id: str
    cells: Mapping[str, str]

    def told(self, column: str) -> str | None:
        """What the row says in a column, empty to empty the field; null if it says nothing."""
        text = self.cells.get(column)
        return None if text is None else "" if _is_marker(text) else read(text)


def read_edits(path: Path, options: EditTableOptions) -> dict[str, Edit]:
    """Read a table of edits: CSV, XLSX, JSON lines or Parquet.

    Returns:
        The edit of each record, by id.

    Raises:
        SourceError: If the file can't be read.
        UsageError: If a column is unknown, stands twice or is missing, or a row can't be used; lists them.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such table. Name a file: {', '.join(SUFFIXES)}.")
    reading = TableReading(
        known=lambda name: column_of(name) is not None,
        encoding=options.encoding,
        delimiter=options.delimiter,
        sheet=options.sheet,
    )
    table = read_table(path, path.name, reading)
    for note in table.notes:
        log(f"note: {table.name}: {note}")
    lines = ((line.place, line.cells if line.problem is None else line.problem) for line in table.lines)
    return _edits(str(path), table.columns, lines)


def edits_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Edit]:
    """The same of plain rows; null and empty cells leave a field as it is.

    Raises:
        UsageError: As `read_edits`.
    """
    rows = list(rows)
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return _edits("the rows", columns, ((f"row {number}", row) for number, row in enumerate(rows, start=1)))


def _edits(where: str, names: Iterable[str], rows: Iterable[tuple[str, Mapping[str, Any] | str]]) -> dict[str, Edit]:
    columns = _columns(where, names)
    edits: dict[str, Edit] = {}
    problems: list[str] = []
    for place, row in rows:
        try:
            edit = _edit(place, row, columns)
        except ValueError as problem:
            problems.append(f"{place}: {problem}")
            continue
        earlier = edits.setdefault(edit.record_id, edit)
        if earlier.cells != edit.cells:
            problems.append(f"{place}: record {edit.record_id} stands in {earlier.place} already, with other contents")
    if problems:
        raise UsageError(f"{where} can't be used, nothing was changed:\n{listed(problems, shown=SHOWN)}")
    if not edits:
        raise UsageError(f"{where}: no row. `edit DATASET --template OUT --where …` writes a table to fill in.")
    return edits


def _columns(where: str, names: Iterable[str]) -> dict[str, str | None]:
    """Our column of each heading; null for headings of columns without a name, which must be empty."""
    columns: dict[str, str | None] = {}
    for name in names:
        column, second = column_of(name), _SECOND.fullmatch(name)
        if column is None and second is not None:
            column = column_of(second[1])
        if column is not None and column in columns.values():
            raise UsageError(f"{where}: the column {column!r} stands twice. Keep one.")
        if column is None and not _NAMELESS.fullmatch(name):
            made = " `questions` makes it; `edit` makes it anew where the claim changes." if name in MADE else ""
            raise UsageError(f"{where}: {unknown_name_message('column', name, list(COLUMNS))}{made}")
        columns[name] = column
    if KEY not in columns.values():
        raise UsageError(
            f"{where}: has no column {KEY!r}, which says which record a row changes. Columns: {', '.join(columns)}."
        )
    return columns


def _edit(place: str, row: Mapping[str, Any] | str, columns: Mapping[str, str | None]) -> Edit:
    if isinstance(row, str):
        raise ValueError(row)
    cells = dict(_cells(row, columns))
    name = cells.pop(KEY, "")
    if not name or _is_marker(name):
        raise ValueError(f"has no {KEY}")
    return Edit(place=place, record_id=name, cells=cells)


def _cells(row: Mapping[str, Any], columns: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, cell in row.items():
        column = columns[name]
        text = text_of(cell, column or name).strip()
        if text and column is None:
            raise ValueError(f"has {text!r} in {name}, which has no heading")
        if found := invisible_in(text):
            raise ValueError(f"has the control character {', '.join(found)} in {name}, which nobody sees; take it out")
        if text and column is not None:
            yield column, text


def _is_marker(text: str) -> bool:
    return text.casefold() == CLEAR
