from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from edits import change, find, records, refusal

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.edit import edit_dataset, edit_rows, write_template
from offside_data.errors import DatasetError, DatasetReferenceError, OffsideError, SourceError, UsageError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,valeu\nx,1\n", "unknown column 'valeu'. Did you mean 'value'?"),
        ("record_id,choices\nx,1\n", "`questions` makes it"),
        ("record,value\nx,1\n", "unknown column 'record'. Did you mean 'record_id'?"),
        ("value,suspect\n1,x\n", "has no column 'record_id'"),
        ("record_id,value,Value\nx,1,2\n", "the column 'value' stands twice"),
        ("record_id,value,value\nx,1,2\n", "the column 'value' stands twice"),
        ("record_id,value,\nx,1,2\n", "has '2' in column 3, which has no heading"),
        ("record_id,value\n", "no row"),
        ("record_id,value\n,5\n", "line 2: has no record_id"),
        ("record_id,value\nx,1\nx,2\n", "line 3: record x stands in line 2 already, with other contents"),
        ("record_id,value\nnope,1\n", "line 2: there is no record 'nope'"),
        ("record_id,value\nx,a\x00b\n", "line 2: has the control character U+0000 in value, which nobody sees"),
        ("record_id,value\nx,a\u202eb\n", "line 2: has the control character U+202E in value"),
        ("record_id,suspect\nx,a\x1b[2Jb\n", "line 2: has the control character U+001B in suspect"),
        ("record_id,value\nx,1,2\n", "line 2: has 3 cells, the header has 2"),
    ],
)
def test_a_table_that_cannot_be_used(small: OffsideDataset, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        edit_dataset(small.path, tmp_path / "t.csv")
    assert message in str(caught.value)
    assert open_dataset(small.path).digest == small.digest


def test_a_near_id_is_suggested(small: OffsideDataset) -> None:
    name = next(small.iter_records()).record_id
    assert f"there is no record '{name[:-1]}'. Did you mean {name!r}?" in refusal(
        small, record_id=name[:-1], suspect="x"
    )


def test_all_rows_that_fail_are_listed(small: OffsideDataset) -> None:
    rows = [{"record_id": f"nope{number}", "value": "1"} for number in range(25)]
    with pytest.raises(UsageError, match=r"these rows can't be followed[\s\S]*row 1: [\s\S]*and 5 more"):
        edit_rows(small.path, rows, reason="a test")


def test_the_same_row_twice_is_one(fresh: OffsideDataset) -> None:
    name = next(fresh.iter_records()).record_id
    report = edit_rows(fresh.path, [{"record_id": name, "suspect": "odd", "value": None}] * 2, reason="a test")
    assert (report.rows, len(report.changes)) == (1, 1)


def test_a_semicolon_table_of_another_code_page(fresh: OffsideDataset, tmp_path: Path) -> None:
    claim = find(fresh, attribute="club", split="retain")
    (tmp_path / "t.csv").write_bytes(f"Record ID;Value\r\n{claim.record_id};Köln SC\r\n".encode("cp1252"))
    edit_dataset(fresh.path, tmp_path / "t.csv")
    assert "Köln SC" in records(fresh.path)[claim.record_id].answer


def test_a_workbook_with_dates_and_amounts(league: OffsideDataset, tmp_path: Path) -> None:
    date = find(league, attribute="transfer_date", split="retain", modality="multimodal")
    fee = find(league, attribute="fee", split="retain", modality="multimodal")
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["record_id", "value", "retrieved_on"])
        sheet.write_string(1, 0, date.record_id)
        for column in (1, 2):
            sheet.write_datetime(1, column, datetime.datetime(2019, 7, 1), book.add_format({"num_format": "dd/mm/yy"}))
        sheet.write_string(2, 0, fee.record_id)
        sheet.write_number(2, 1, 4_100_000, book.add_format({"num_format": "[$€-407]#,##0"}))
    edit_dataset(league.path, tmp_path / "t.xlsx")
    now = records(league.path)
    assert now[date.record_id].value is not None
    assert (now[date.record_id].value.date, now[date.record_id].answer[-13:]) == ("2019-07-01", "July 1, 2019.")
    assert now[date.record_id].sources[0].retrieved_on == "2019-07-01"
    assert now[fee.record_id].answer.endswith("€4.10m.")


def test_a_date_that_a_spreadsheet_wrote_in_its_own_way_is_the_same(league: OffsideDataset) -> None:
    claim = find(league, attribute="transfer_date", split="retain", modality="multimodal")
    assert claim.value is not None
    assert change(league, record_id=claim.record_id, value=claim.value.date).changes == ()


def test_a_file_that_is_no_table(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such table"):
        edit_dataset(small.path, tmp_path / "t.csv")
    (tmp_path / "t.xlsx").write_text("not a workbook")
    with pytest.raises(SourceError, match="not an Excel workbook"):
        edit_dataset(small.path, tmp_path / "t.xlsx")


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(OffsideError):
        edit_rows(tmp_path, [{"record_id": "x", "value": "1"}], reason="a test")
    with pytest.raises(DatasetReferenceError):
        write_template(tmp_path / "none", tmp_path / "t.csv")


def test_a_folder_that_cannot_be_written(fresh: OffsideDataset) -> None:
    (fresh.path / ".offside").write_text("in the way")  # Permissions are nothing to root.
    with pytest.raises(DatasetError, match="can't be changed"):
        change(fresh, record_id=next(fresh.iter_records()).record_id, suspect="odd")
