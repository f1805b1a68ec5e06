from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from offside_data.adapters._tables.columns import TableOptions
from offside_data.adapters._tables.tables import Table, heads, read_table
from offside_data.errors import SourceError, UsageError

HEADER = ["Subject", "Attribute", "Value"]
ROWS = [["Tavo Brinkhaus", "club", "Ostholm"], ["Oda Vint", "club", "Hollow City"]]


def table(path: Path, sheet: str = "", **options: Any) -> Table:
    return read_table(path, path.name, TableOptions(**options).reading(sheet))


def cells(read: Table) -> list[list[Any]]:
    return [[line.cells.get(column) for column in read.columns] for line in read.lines]


def csv_text(delimiter: str = ",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in [HEADER, *ROWS])


# ---------------------------------------------------------------------------------------------
# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_gives_known_columns(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(csv_text(delimiter), encoding="utf-8")
    read = table(path)
    assert (list(read.columns), cells(read), read.notes) == (HEADER, ROWS, ())


def test_a_delimiter_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(csv_text("#"), encoding="utf-8")
    assert cells(table(path, delimiter="#")) == ROWS
    with pytest.raises(UsageError, match="must be one character, got '##'"):
        table(path, delimiter="##")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_usual_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes("Subject,Attribute,Value\nØyvar Bælund,fee,4 €\n".encode(encoding))
    read = table(path)
    assert cells(read) == [["Øyvar Bælund", "fee", "4 €"]]
    assert [("Windows-1252" in note) for note in read.notes] == [True] * (encoding == "cp1252")


def test_another_encoding_must_be_said(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes("Subject,Attribute,Value\nŁukan Źrod,fee,4 €\n".encode("cp1250"))
    assert cells(table(path, encoding="cp1250"))[0][0] == "Łukan Źrod"
    with pytest.raises(UsageError, match="no encoding 'klingon'"):
        table(path, encoding="klingon")
    path.write_bytes(bytes(range(0x80, 0x100)))
    with pytest.raises(SourceError, match=r"claims\.csv: is no UTF-8 \(byte 0x80 at line 1, column 1"):
        table(path)


@pytest.mark.parametrize("above", ["sep=;\n", "Claims of the season\n;;\n"])
def test_what_stands_above_the_header_is_noted(tmp_path: Path, above: str) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(above + csv_text(";"), encoding="utf-8")
    read = table(path)
    assert (list(read.columns), cells(read)) == (HEADER, ROWS)
    assert read.notes == (f"1 rows above the header were not imported; the header is line {above.count(chr(10)) + 1}",)


def test_blank_rows_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text("Subject,Attribute,Value\n\n,,\nTavo Brinkhaus,club,Ostholm\n \n", encoding="utf-8")
    lines = list(table(path).lines)
    assert [(line.index, line.place) for line in lines] == [(0, "line 4")]


def test_a_quoted_cell_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text('Subject,Attribute,Value\n"Brinkhaus, Tavo",club,"Ost\nholm ""B"""\n', encoding="utf-8")
    assert cells(table(path)) == [["Brinkhaus, Tavo", "club", 'Ost\nholm "B"']]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('Tavo Brinkhaus,club,"Ostholm', "quotes don't match"),
        ('Tavo Brinkhaus,club,"Ost" holm', "quotes don't match"),
        (f"Tavo Brinkhaus,club,{'x' * 200_000}", "a cell of more than 131,072 characters; shorten it"),
        ("Tavo Brinkhaus,club,Ostholm, the old one", "has 4 cells, the header has 3"),
    ],
)
def test_a_malformed_row_costs_that_row_alone(tmp_path: Path, row: str, problem: str) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(f"Subject,Attribute,Value\n{row}\nOda Vint,club,Hollow City\nOda Vint,age,24\n", encoding="utf-8")
    first, *others = table(path).lines
    assert first.problem is not None
    assert problem in first.problem
    assert [(line.place, line.problem) for line in others] == [("line 3", None), ("line 4", None)]


def test_columns_without_a_name_or_with_the_same_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text("Subject,,Value,Value\na,b,c,d\n", encoding="utf-8")
    assert table(path).columns == ("Subject", "column 2", "Value", "Value (2)")


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(b"")
    assert (table(path).columns, list(table(path).lines)) == ((), [])


def test_many_malformed_rows_take_no_longer_than_others(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text("Subject,Attribute,Value\n" + 'a,"b"c,d\n' * 20_000, encoding="utf-8")
    assert sum(line.problem is not None for line in table(path).lines) == 20_000


# ---------------------------------------------------------------------------------------------
# Excel

Fill = Callable[[Any, Any], None]


def workbook(path: Path, **sheets: Fill) -> Path:
    with xlsxwriter.Workbook(path) as book:
        for name, fill in sheets.items():
            fill(book, book.add_worksheet(name))
    return path


def plain(book: Any, sheet: Any) -> None:
    for row, values in enumerate([HEADER, *ROWS]):
        sheet.write_row(row, 0, values)


def legend(book: Any, sheet: Any) -> None:
    sheet.write_row(0, 0, ["Word", "Meaning"])
    sheet.write_row(1, 0, ["rumor", "not confirmed"])


def empty(book: Any, sheet: Any) -> None:
    pass


def test_the_sheet_with_the_claims_is_found(tmp_path: Path) -> None:
    path = workbook(tmp_path / "claims.xlsx", Legend=legend, Claims=plain, Sheet3=empty)
    read = table(path)
    assert (read.name, cells(read)) == ("claims.xlsx[Claims]", ROWS)
    assert read.notes == ("only the sheet 'Claims' was read, not 'Legend'",)


@pytest.mark.parametrize("wanted", ["Legend", "legend", "1"])
def test_a_sheet_may_be_said_by_name_or_number(tmp_path: Path, wanted: str) -> None:
    path = workbook(tmp_path / "claims.xlsx", Legend=legend, Claims=plain)
    assert table(path, sheet=wanted).columns == ("Word", "Meaning")


def test_several_sheets_with_claims_need_a_choice_and_are_listed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "claims.xlsx", Old=plain, New=plain)
    with pytest.raises(UsageError, match=r"several sheets could be meant.*'Old' \(3 rows\), 'New' \(3 rows\).*sheet="):
        table(path)
    with pytest.raises(UsageError, match=r"unknown sheet 'Newer'\. Did you mean 'New'"):
        table(path, sheet="Newer")


def test_without_a_known_header_the_sheets_are_listed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "claims.xlsx", One=legend, Two=legend)
    with pytest.raises(UsageError, match=r"no sheet has a header that is known. It has 'One' \(2 rows\)"):
        table(path)


def test_rows_are_called_by_their_number_in_the_sheet(tmp_path: Path) -> None:
    def shifted(book: Any, sheet: Any) -> None:
        for row, values in enumerate([HEADER, *ROWS]):
            sheet.write_row(row + 3, 2, values)

    lines = list(table(workbook(tmp_path / "claims.xlsx", Claims=shifted)).lines)
    assert [line.place for line in lines] == ["row 5", "row 6"]


def test_typed_cells_are_texts_that_say_what_they_are(tmp_path: Path) -> None:
    def typed(book: Any, sheet: Any) -> None:
        sheet.write_row(2, 1, HEADER)
        formats = ["€#,##0.00", "[$£-809]#,##0", '#,##0 "CHF"', "#,##0.00 [$EUR]", "0%", "General"]
        for row, code in enumerate(formats, start=3):
            sheet.write_row(row, 1, ["Tavo Brinkhaus", "fee"])
            sheet.write_number(row, 3, 4100000.5, book.add_format({"num_format": code}))
        sheet.write_row(9, 1, ["Tavo Brinkhaus", "birth date"])
        sheet.write_datetime(9, 3, datetime.datetime(1997, 5, 3), book.add_format({"num_format": "dd/mm/yy"}))
        sheet.write_row(10, 1, ["Tavo Brinkhaus", "height", 1.89])
        sheet.write_row(11, 1, ["Tavo Brinkhaus", "age", 28])
        sheet.write_row(12, 1, ["€", "fee"])
        sheet.write_string(12, 3, "  a text ", book.add_format({"num_format": "€#,##0"}))
        sheet.write_blank(13, 0, None, book.add_format({"num_format": "€#,##0"}))

    read = table(workbook(tmp_path / "claims.xlsx", Claims=typed))
    assert [row[2] for row in cells(read)] == [
        *("€4100000.5", "£4100000.5", "CHF 4100000.5", "EUR 4100000.5", "4100000.5", "4100000.5"),
        *("1997-05-03 00:00:00", "1.89", "28", "  a text "),
    ]


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04 cut off"])
def test_a_damaged_workbook_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims.xlsx"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"claims\.xlsx: not an Excel workbook that can be read: "):
        table(path)


# ---------------------------------------------------------------------------------------------
# JSON and Parquet


def test_each_json_line_stands_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    texts = ['{"a": 1}', "", "{", "[1]", '"text"', "[" * 100_000, '{"b": [2, null]}']
    path.write_text("\n".join(texts), encoding="utf-8")
    read = table(path)
    lines = list(read.lines)
    assert read.columns == ("a", "b")
    assert [line.place for line in lines] == ["line 1", "line 3", "line 4", "line 5", "line 6", "line 7"]
    assert [line.problem is None for line in lines] == [True, False, False, False, False, True]
    assert lines[2].problem == "must be an object, is a list"
    assert lines[-1].cells == {"b": [2, None]}


def test_a_json_file_holds_a_list(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"a": 1}, 2]), encoding="utf-8")
    assert [line.problem for line in table(path).lines] == [None, "must be an object, is a int"]
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(SourceError, match="must hold a JSON list of rows, holds a dict"):
        table(path)
    path.write_text('[{"a": 1}', encoding="utf-8")
    with pytest.raises(SourceError, match=r"not valid JSON: .*line 1.*cut off"):
        table(path)


def test_class_numbers_of_datasets_become_their_names(tmp_path: Path) -> None:
    features = {"info": {"features": {"label": {"names": ["Tavo Brinkhaus", "Oda Vint"], "_type": "ClassLabel"}}}}
    made = pa.table({"label": [1, 0, None, 7]})
    made = made.replace_schema_metadata({"huggingface": json.dumps(features)})
    pq.write_table(made, tmp_path / "rows.parquet")
    assert cells(table(tmp_path / "rows.parquet")) == [["Oda Vint"], ["Tavo Brinkhaus"], [None], [7]]


def test_odd_metadata_of_parquet_is_passed_over(tmp_path: Path) -> None:
    made = pa.table({"label": [1]}).replace_schema_metadata({"huggingface": '{"info": []}'})
    pq.write_table(made, tmp_path / "rows.parquet")
    assert cells(table(tmp_path / "rows.parquet")) == [[1]]
    pq.write_table(made.replace_schema_metadata({"huggingface": "{"}), tmp_path / "rows.parquet")
    assert cells(table(tmp_path / "rows.parquet")) == [[1]]


def test_a_value_that_python_cannot_hold_costs_its_row_alone(tmp_path: Path) -> None:
    times = pa.array([0, 2**50, 1], pa.timestamp("s"))
    pq.write_table(pa.table({"when": times}), tmp_path / "rows.parquet")
    first, second, third = table(tmp_path / "rows.parquet").lines
    assert (first.problem, third.problem) == (None, None)
    assert second.problem is not None
    assert "unreadable value" in second.problem


def test_a_damaged_parquet_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 cut off")
    with pytest.raises(SourceError, match=r"rows\.parquet: not readable as Parquet"):
        table(path)
    pq.write_table(pa.table({"a": [str(number) for number in range(10_000)]}), path)
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"rows\.parquet: damaged after 0 rows"):
        list(table(path).lines)


def test_no_table_is_an_error_that_lists_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"not a table; known endings: \.csv"):
        table(tmp_path / "rows.pkl")


# ---------------------------------------------------------------------------------------------
# The start alone


def test_the_columns_are_found_in_the_start_of_a_file(tmp_path: Path) -> None:
    reading = TableOptions().reading()
    (tmp_path / "a.csv").write_text(csv_text(";") + "x;y;z\n" * 50_000, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(
        json.dumps(dict.fromkeys(HEADER, "ä" * 50)) + "\n" + "{" * 10**5, encoding="utf-8"
    )
    pq.write_table(pa.table({name: ["x"] for name in HEADER}), tmp_path / "c.parquet")
    workbook(tmp_path / "d.xlsx", Legend=legend, Claims=plain)
    for name in ("a.csv", "b.jsonl", "c.parquet"):
        assert heads(tmp_path / name, reading) == [tuple(HEADER)]
    assert heads(tmp_path / "d.xlsx", reading) == [("Word", "Meaning"), tuple(HEADER)]
