"""Read tables: CSV, XLSX, JSON lines and Parquet, row by row; a bad row is one bad row, not a bad file.

Cells come as they are in JSON and Parquet, as text from CSV and spreadsheets. What a column means is decided in
`columns.py`.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.adapters._parquet import read_rows, schema_of
from offside_data.adapters._tables.encodings import encoding_of, first_lines
from offside_data.adapters._text import clean
from offside_data.adapters._values import UnusableError
from offside_data.errors import SourceError, UsageError
from offside_data.limits import COLUMNS
from offside_data.plugins import unknown_name_message

TEXT_TABLES = (".csv", ".tsv")
JSON_TABLES = (".jsonl", ".json")
SHEETS = (".xlsx", ".xlsm")
PARQUET = (".parquet",)
SUFFIXES = (*TEXT_TABLES, *JSON_TABLES, *SHEETS, *PARQUET)
"""Endings of the files that are tables."""
DELIMITERS = ",;\t|"
HEADER_ROWS = 20
"""The header is looked for in so many rows: a title or `sep=;` may stand above it."""
FITTING = 3
"""A sheet of a workbook is taken for the one with the claims if it has so many known columns."""
_HEAD_BYTES = 2**16

Cells = tuple[str, "list[str] | str"]
Grid = Iterable[Cells]
"""Rows of text with the place where a person finds each; in place of an unreadable row, what is wrong with it."""


@dataclass(slots=True)
class Line:
    """One row of a table.

    Args:
        index: Its position among the rows, from 0.
        place: Where a person finds it, e.g. `row 5`.
        cells: By column; null or missing if empty.
        problem: Why it can't be read; null if it can.
    """

    index: int
    place: str
    cells: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; `lines` can be gone through once.

    Args:
        name: As it is called in remarks.
        columns: In order.
        lines: Its rows; rows without any cell are left out.
        notes: What a person should know about the file.
    """

    name: str
    columns: tuple[str, ...]
    lines: Iterable[Line]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) > COLUMNS.most:
            raise SourceError(
                f"{self.name}: has {len(self.columns):,} columns; at most {COLUMNS} are read. Leave out those that "
                "say nothing of a question or a subject."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """How to read a table.

    Args:
        known: Whether a column's name means something to us: it tells header and delimiter.
        encoding: Of a CSV file; guessed if empty.
        delimiter: Of a CSV file; guessed if empty.
        sheet: Name or number (from 1) of a sheet; the one that looks like claims if empty.
    """

    known: Callable[[str], bool]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""

    def score(self, names: Iterable[str]) -> int:
        """How many of these names are known columns."""
        return sum(self.known(name) for name in set(names))


def read_table(path: Path, name: str, reading: TableReading) -> Table:
    """Read a table; `name` names it in remarks.

    Raises:
        SourceError: If the file can't be read, or isn't what its ending says.
        UsageError: If it has several sheets that could be meant.
    """
    suffix = path.suffix.lower()
    if suffix in TEXT_TABLES:
        grid, notes = _read_csv(path, reading)
        return _from_grid(name, grid, reading, notes)
    if suffix in SHEETS:
        return _from_workbook(path, name, reading)
    if suffix in JSON_TABLES:
        return _from_json(path, name)
    if suffix in PARQUET:
        return _from_parquet(path, name)
    raise SourceError(f"{path}: not a table; known endings: {', '.join(SUFFIXES)}.")


def heads(path: Path, reading: TableReading) -> list[tuple[str, ...]]:
    """The columns of a table, of each sheet if it has several, from the start of the file alone.

    Raises:
        SourceError: If the file can't be read.
    """
    suffix = path.suffix.lower()
    if suffix in TEXT_TABLES:
        grids: list[Grid] = [_read_csv(path, reading, size=_HEAD_BYTES)[0]]
    elif suffix in SHEETS:
        from offside_data.adapters._tables.sheets import Workbook

        book = Workbook(path)
        grids = [book.grid(sheet, rows=HEADER_ROWS) for sheet in book.names]
    elif suffix == ".jsonl":
        lines, _ = _text_lines(path, "utf-8-sig", newline="\n", size=_HEAD_BYTES)
        return [_json_columns(lines)]
    else:
        return [read_table(path, path.name, reading).columns]
    return [_from_grid("", grid, reading).columns for grid in grids]


# ---------------------------------------------------------------------------------------------
# Grids of text: CSV and spreadsheets


def _from_grid(name: str, grid: Grid, reading: TableReading, notes: Sequence[str] = ()) -> Table:
    rows = iter(grid)
    head: list[Cells] = []
    for row in rows:
        head.append(row)
        if len(head) >= HEADER_ROWS and any(isinstance(cells, list) and _filled(cells) for _, cells in head):
            break
    at = _header_row(head, reading)
    columns = _column_names(head[at][1]) if head else ()
    above = sum(_filled(cells) for _, cells in head[:at])
    if above:
        notes = (*notes, f"{above} rows above the header were not imported; the header is {head[at][0]}")
    lines = _grid_lines(itertools.chain(head[at + 1 :], rows), columns)
    return Table(name=name, columns=columns, lines=lines, notes=tuple(notes))


def _header_row(head: list[Cells], reading: TableReading) -> int:
    """The row with the most known columns; the first one that isn't empty if there are none."""
    scores = [reading.score(cells) if isinstance(cells, list) else 0 for _, cells in head[:HEADER_ROWS]]
    if any(scores):
        return scores.index(max(scores))
    return next((i for i, (_, cells) in enumerate(head) if isinstance(cells, list) and _filled(cells)), 0)


def _filled(cells: list[str] | str) -> bool:
    return isinstance(cells, str) or any(cell.strip() for cell in cells)


def _column_names(header: list[str] | str) -> tuple[str, ...]:
    """Names of the columns: a nameless one is called by its place, a second one of the same name by its number."""
    seen: Counter[str] = Counter()
    names = []
    for place, cell in enumerate(header if isinstance(header, list) else (), start=1):
        name = clean(cell) or f"column {place}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _grid_lines(rows: Grid, columns: tuple[str, ...]) -> Iterator[Line]:
    index = 0
    for place, cells in rows:
        if not _filled(cells):
            continue
        if isinstance(cells, str):
            yield Line(index, place, {}, cells)
        elif any(cell.strip() for cell in cells[len(columns) :]):
            why = f"has {len(cells)} cells, the header has {len(columns)}: put text that holds a delimiter in quotes"
            yield Line(index, place, {}, why)
        else:
            filled = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.strip()}
            yield Line(index, place, filled)
        index += 1


def _read_csv(path: Path, reading: TableReading, size: int = -1) -> tuple[Grid, list[str]]:
    lines, notes = _text_lines(path, reading.encoding, newline="", size=size)
    if len(reading.delimiter) > 1:
        raise UsageError(f"the delimiter must be one character, got {reading.delimiter!r}.")
    head = list(itertools.islice(lines, 2 * HEADER_ROWS))
    # A delimiter is right if it makes known columns; among equals, the one that makes most.
    delimiter = reading.delimiter or max(DELIMITERS, key=lambda one: _fit(_csv_rows(head, one), reading))
    return _csv_rows(itertools.chain(head, lines), delimiter), notes


def _fit(rows: Grid, reading: TableReading) -> tuple[int, int]:
    cells = [cells for _, cells in rows if isinstance(cells, list) and _filled(cells)]
    return max(map(reading.score, cells), default=0), len(cells[0]) if cells else 0


def _csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[Cells]:
    """Rows of a CSV text. A row with a stray quote would swallow those after it: it is given up, they are read."""
    unread, again, taken = iter(lines), deque[str](), list[str]()  # `taken` makes the row at hand.

    def following() -> Iterator[str]:
        while (line := again.popleft() if again else next(unread, None)) is not None:
            taken.append(line)
            yield line

    number = 1
    while True:
        try:
            for cells in csv.reader(following(), delimiter=delimiter, strict=True):
                yield f"line {number}", cells
                number += len(taken)
                taken.clear()
            return
        except csv.Error as error:
            long = f"a cell of more than {csv.field_size_limit():,} characters; shorten it, use Parquet, or look if "
            yield f"line {number}", f"{long if 'field limit' in str(error) else ''}quotes don't match: {error}"
            number += 1
            again.extendleft(reversed(taken[1:]))
            taken.clear()


def _text_lines(path: Path, encoding: str, *, newline: str, size: int = -1) -> tuple[Iterator[str], list[str]]:
    """The lines of a file in the given encoding, or in the one that it is in.

    Of `size` bytes, whose columns alone matter, the whole lines: whoever reads all of it says what is wrong.
    """
    if size < 0:
        found = encoding_of(path, encoding)
        return _lines_of(path, found.name, newline), list(found.notes)
    try:
        name = encoding_of(path, encoding, size=size).name
    except SourceError:
        name = "latin-1"
    text = first_lines(path, size).decode(name, "ignore")
    return io.StringIO(text, newline=newline), []


def _lines_of(path: Path, encoding: str, newline: str) -> Iterator[str]:
    with path.open(encoding=encoding, newline=newline) as lines:
        yield from lines


# ---------------------------------------------------------------------------------------------
# Workbooks


def _from_workbook(path: Path, name: str, reading: TableReading) -> Table:
    from offside_data.adapters._tables.sheets import Workbook

    book = Workbook(path)
    if reading.sheet:
        sheet = _chosen_sheet(path, book.names, reading.sheet)
        return _from_grid(_sheet_name(name, sheet, book.names), book.grid(sheet), reading)
    grids = {sheet: book.grid(sheet) for sheet in book.names}
    fitting = [sheet for sheet, grid in grids.items() if _fit(grid[:HEADER_ROWS], reading)[0] >= FITTING]
    if len(book.names) == 1:
        fitting = book.names
    if len(fitting) != 1:
        sizes = ", ".join(f"{sheet!r} ({len(grid)} rows)" for sheet, grid in grids.items())
        which = f"several sheets could be meant: {fitting}" if fitting else "no sheet has a header that is known"
        raise UsageError(f"{path}: {which}. It has {sizes}. Choose one with --set sheet=NAME.")
    others = [sheet for sheet in book.names if sheet != fitting[0] and grids[sheet]]
    notes = [f"only the sheet {fitting[0]!r} was read, not {', '.join(map(repr, others))}"] if others else []
    return _from_grid(_sheet_name(name, fitting[0], book.names), grids[fitting[0]], reading, notes)


def _sheet_name(name: str, sheet: str, sheets: list[str]) -> str:
    return name if len(sheets) == 1 else f"{name}[{sheet}]"


def _chosen_sheet(path: Path, names: list[str], wanted: str) -> str:
    for name in names:
        if name.casefold() == wanted.casefold():
            return name
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise UsageError(f"{path}: {unknown_name_message('sheet', wanted, names)}")


# ---------------------------------------------------------------------------------------------
# JSON and Parquet


def _from_json(path: Path, name: str) -> Table:
    """A table of JSON lines, or of one JSON list of objects."""
    text, _ = _text_lines(path, "utf-8-sig", newline="\n")
    if path.suffix.lower() == ".jsonl":
        columns = _json_columns(text)  # A first time, for a row may have a column that none before it has.
        return Table(name=name, columns=columns, lines=_json_lines(_lines_of(path, "utf-8-sig", "\n")))
    try:
        items = _parse_json("".join(text))
    except ValueError as error:
        raise SourceError(f"{path}: {error}. Is the file cut off? Fetch it again.") from error
    if not isinstance(items, list):
        raise SourceError(f"{path}: must hold a JSON list of rows, holds a {type(items).__name__}.")
    lines = [_object_line(index, f"item {index + 1}", item) for index, item in enumerate(items)]
    return Table(name=name, columns=tuple(dict.fromkeys(name for line in lines for name in line.cells)), lines=lines)


def _json_columns(text: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for line in _json_lines(text) for name in line.cells))


def _json_lines(text: Iterable[str]) -> Iterator[Line]:
    index = 0
    for number, row in enumerate(text, start=1):
        if row.strip():
            try:
                yield _object_line(index, f"line {number}", _parse_json(row))
            except ValueError as error:
                yield Line(index, f"line {number}", {}, str(error))
            index += 1


def _parse_json(text: str) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: If it isn't JSON.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply to be a row") from error
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from error


def _object_line(index: int, place: str, item: Any) -> Line:
    if not isinstance(item, dict):
        return Line(index, place, {}, f"must be an object, is a {type(item).__name__}")
    return Line(index, place, item)


def _from_parquet(path: Path, name: str) -> Table:
    schema = schema_of(path)
    return Table(name=name, columns=tuple(schema.names), lines=_parquet_lines(path, _class_names(schema.metadata)))


def _parquet_lines(path: Path, names: dict[str, list[str]]) -> Iterator[Line]:
    for index, row in enumerate(read_rows(path)):
        if isinstance(row, UnusableError):
            yield Line(index, f"row {index + 1}", {}, str(row))
            continue
        for column, classes in names.items():
            row[column] = _class_name(row.get(column), classes)
        yield Line(index, f"row {index + 1}", row)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names that `datasets` stored for columns of class numbers."""
    try:
        info = _parse_json((metadata or {}).get(b"huggingface", b"{}").decode("utf-8", "replace"))
    except ValueError:
        return {}
    for key in ("info", "features"):
        info = info.get(key) if isinstance(info, dict) else None
    features = info.items() if isinstance(info, dict) else ()
    return {
        column: [str(name) for name in feature["names"]]
        for column, feature in features
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }


def _class_name(number: Any, names: list[str]) -> Any:
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else number
