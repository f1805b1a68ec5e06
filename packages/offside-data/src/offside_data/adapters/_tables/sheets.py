"""Sheets of an Excel workbook as rows of text, with the currency that a cell shows.

The cells come from `fastexcel`, which gives a number without its format. What a curator sees as `€4,100,000` would
lose its currency, so the formats are looked up in the file itself.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from offside_data.errors import SourceError
from offside_data.limits import CELLS, COLUMNS, LIST

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CURRENCY = re.compile(r"\[\$([^\]-]+)(?:-[^\]]*)?\]|\"([€£$¥]|[A-Z]{3})\"|(?<!\[)([€£$¥])")
_BUILT_IN = {5: "$", 6: "$", 7: "$", 8: "$", 42: "$", 44: "$"}
_DAMAGE = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError),  # RuntimeError: encrypted, or packed in an unknown way.
    *(zipfile.BadZipFile, zlib.error, struct.error, ElementTree.ParseError),
)
_CELL = re.compile(r"[A-Z]+")
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Z]{1,4})(\d{1,9})["']""")
_LONGEST_PLACE = 64
_BLOCK = 1 << 20


class Workbook:
    """An Excel file.

    Args:
        path: Where it lies.

    Attributes:
        names: Its sheets in order.

    Raises:
        SourceError: If it can't be read.
    """

    def __init__(self, path: Path) -> None:
        import fastexcel

        self._path = path
        try:
            self._reader = fastexcel.read_excel(path)
        except (OSError, fastexcel.FastExcelError) as error:
            first = str(error).split("\n", 1)[0]
            raise SourceError(f"{path}: not an Excel workbook that can be read: {first}. Save it again.") from error
        self.names: list[str] = list(self._reader.sheet_names)

    def grid(self, sheet: str, rows: int | None = None) -> list[tuple[str, list[str] | str]]:
        """The rows of a sheet as text, each with its number in the sheet; numbers with a currency say it.

        `rows` takes only so many, and no formats.
        """
        import fastexcel

        self._require_bounded(sheet)
        try:
            loaded = self._reader.load_sheet(sheet, header_row=None, skip_rows=0, n_rows=rows, dtypes="string")
        except fastexcel.FastExcelError as error:
            first = str(error).split("\n", 1)[0]
            raise SourceError(f"{self._path}: sheet {sheet!r} can't be read: {first}.") from error
        cells: list[list[str]] = [[cell or "" for cell in row] for row in loaded.to_polars().iter_rows()]
        for row, column, currency in self._currencies(sheet) if rows is None else ():
            if row < len(cells) and column < len(cells[row]) and cells[row][column]:
                blank = " " if len(currency) > 1 else ""
                cells[row][column] = f"{currency}{blank}{cells[row][column]}"
        return [(f"row {number}", row) for number, row in enumerate(cells, start=1)]

    def _require_bounded(self, sheet: str) -> None:
        """Refuse a sheet that its reader would make room for as a whole, up to its last cell, or that unpacks to more.

        Raises:
            SourceError: If it is too large.
        """
        try:
            with zipfile.ZipFile(self._path) as archive:
                if sum(info.file_size for info in archive.infolist()) > LIST.most:
                    raise SourceError(f"{self._path}: unpacks to more than {LIST}. Save it as CSV or Parquet.")
                with archive.open(_sheet_file(archive, sheet)) as stream:
                    rows, columns = _last_cell(stream)
        except SourceError:
            raise
        except _DAMAGE:
            return  # Its reader says what is wrong.
        if columns > COLUMNS.most or rows * columns > CELLS.most:
            raise SourceError(
                f"{self._path}: sheet {sheet!r} reaches to row {rows:,} and column {columns:,}; at most {CELLS} and "
                f"{COLUMNS} are read. Delete what stands far out, even if it is one cell, or save it as CSV."
            )

    def _currencies(self, sheet: str) -> Iterator[tuple[int, int, str]]:
        """Row and column (as in the grid, which starts at the first used column) of numbers shown with a currency."""
        try:
            with zipfile.ZipFile(self._path) as archive:
                styles = _currency_styles(archive)
                if not styles:
                    return
                with archive.open(_sheet_file(archive, sheet)) as stream:
                    cells = list(_numbers(stream))
        except _DAMAGE as error:
            raise SourceError(
                f"{self._path}: the formats of its cells can't be read: {error}. Save it again."
            ) from error
        first = min((column for _, column, _ in cells), default=0)
        for row, column, style in cells:
            if style in styles:
                yield row, column - first, styles[style]


def _currency_styles(archive: zipfile.ZipFile) -> dict[int, str]:
    """The styles of a workbook that show a currency."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    root = ElementTree.fromstring(archive.read("xl/styles.xml"))
    codes = {int(f.get("numFmtId", 0)): f.get("formatCode", "") for f in root.iter(f"{_MAIN}numFmt")}
    styles = {}
    for number, style in enumerate(root.iterfind(f"{_MAIN}cellXfs/{_MAIN}xf")):
        code = int(style.get("numFmtId", 0))
        match = _CURRENCY.search(codes.get(code, ""))
        currency = next(filter(None, match.groups())).strip() if match else _BUILT_IN.get(code)
        if currency:
            styles[number] = currency
    return styles


def _sheet_file(archive: zipfile.ZipFile, sheet: str) -> str:
    """Where in the archive a sheet lies."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    links = {s.get("name"): s.get(_LINK) for s in book.iter(f"{_MAIN}sheet")}
    targets = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = {t.get("Id"): t.get("Target", "") for t in targets}[links[sheet]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _last_cell(stream: IO[bytes]) -> tuple[int, int]:
    """The numbers of rows and columns of a sheet, as far as its cells say where they are."""
    rows = columns = 0
    rest = b""
    while block := stream.read(_BLOCK):
        # A place may be cut by the end of a block: its beginning is looked at again with the next.
        for match in _PLACE.finditer(rest + block):
            rows, columns = max(rows, int(match[2])), max(columns, _column_number(match[1].decode()) + 1)
        rest = (rest + block)[-_LONGEST_PLACE:]
    return rows, columns


def _numbers(stream: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """Row, column (both from 0) and style of each cell that holds something; text has style -1."""
    row = -1
    for _, element in ElementTree.iterparse(stream):
        if element.tag != f"{_MAIN}row":
            continue
        # Places may be left out where they follow from the cell before.
        row = int(element.get("r", row + 2)) - 1
        column = -1
        for cell in element.iterfind(f"{_MAIN}c"):
            place = _CELL.match(cell.get("r", ""))
            column = _column_number(place[0]) if place else column + 1
            if len(cell):
                is_number = cell.get("t", "n") == "n"
                yield row, column, int(cell.get("s", 0)) if is_number else -1
        element.clear()


def _column_number(letters: str) -> int:
    """0 for `A`, 25 for `Z`, 26 for `AA`."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
