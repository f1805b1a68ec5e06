"""Whole sheets of claims: CSV, Excel and Parquet files as curators leave them, through `ingest` and the command."""

from __future__ import annotations

import csv
import datetime
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from click.testing import CliRunner
from PIL import Image
from whole_dataset import WholeDataset

from offside_data.adapters import _chunked, claims
from offside_data.adapters._base import ReadOptions, recognise
from offside_data.check import check_dataset
from offside_data.cli import main
from offside_data.dataset.folder import open_dataset
from offside_data.errors import MissingImagesError, SourceError
from offside_data.ingest import IngestConfig, ingest
from offside_data.schema import ClaimValue
from offside_data.taxonomy import load_taxonomy

CLUB = {"subject": "Tavo Brinkhaus", "attribute": "club", "value": "Ostholm", "picture": "a.png"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for place, name in enumerate(names):
        noise = random.Random(place).randbytes(64 * 64 * 3)
        Image.frombytes("RGB", (64, 64), noise).save(folder / name)
    return folder


def workbook(path: Path) -> Path:
    """A workbook with typed cells, as a curator would leave it."""
    with xlsxwriter.Workbook(path) as book:
        euros = book.add_format({"num_format": "€#,##0"})
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        sheet = book.add_worksheet("Claims")
        sheet.write_row(0, 0, ["Claims of the season"])
        sheet.write_row(2, 0, ["Subject", "Attribute", "Value", "Veracity", "Picture", "Source date", "Source"])
        for place, (attribute, value, form) in enumerate(
            [
                ("birth date", datetime.datetime(1997, 5, 3), day),
                ("height", 1.89, None),
                ("age", 28, None),
                ("fee", 4100000, euros),
                ("club", "Ostholm", None),
                ("position", "left winger", None),
            ]
        ):
            sheet.write_row(place + 3, 0, ["Tavo Brinkhaus", attribute])
            sheet.write(place + 3, 2, value, form)
            sheet.write_row(place + 3, 3, ["fact", "a.png"])
            sheet.write_datetime(place + 3, 5, datetime.datetime(2024, 7, 1), day)
            sheet.write(place + 3, 6, "Ostholm FC")
        book.add_worksheet("Notes").write(0, 0, "nothing here")
    return path


def test_a_workbook_becomes_a_dataset_without_an_issue(tmp_path: Path) -> None:
    source = workbook(tmp_path / "claims.xlsx")
    folder = pictures(tmp_path / "pictures", "a.png")
    assert recognise(source) == "claims"
    report = ingest(source, tmp_path / "out", config=IngestConfig(image_dirs=(folder,)))
    assert (report.format, report.rows, report.records, report.count("unparsed")) == ("claims", 6, 6, 0)
    assert [f for f in check_dataset(open_dataset(tmp_path / "out")) if f.severity != "info"] == []
    values = {r.attribute: r.value for r in WholeDataset.read(tmp_path / "out").records}
    assert values["birth_date"] == ClaimValue(kind="date", text="May 3, 1997", date="1997-05-03")
    assert values["height"] == ClaimValue(kind="length", text="1.89 meters", number=1.89, unit="m")
    assert values["age"] == ClaimValue(kind="count", text="28", number=28.0)
    assert values["fee"] == ClaimValue(kind="amount", text="€4.10m", number=4.1e6, currency="EUR")


def test_the_same_claims_in_csv_xlsx_and_parquet_are_the_same_records(tmp_path: Path) -> None:
    rows = [
        {"Subject": "Tavo Brinkhaus", "Attribute": "birth_date", "Value": "1997-05-03"},
        {"Subject": "Oda Vint", "Attribute": "birth_date", "Value": "2001-11-30"},
    ]
    write(tmp_path / "a.csv", rows)
    with xlsxwriter.Workbook(tmp_path / "b.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(rows[0]))
        for place, cells in enumerate(rows, start=1):
            sheet.write_row(place, 0, list(cells.values())[:2])
            when = datetime.datetime.fromisoformat(cells["Value"])
            sheet.write_datetime(place, 2, when, book.add_format({"num_format": "d mmm yyyy"}))
    typed = [{**cells, "Value": datetime.date.fromisoformat(cells["Value"])} for cells in rows]
    pq.write_table(pa.Table.from_pylist(typed), tmp_path / "c.parquet")
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = []
    for name in ("a.csv", "b.xlsx", "c.parquet", "d.jsonl"):
        assert recognise(tmp_path / name) == "claims"
        imported = claims.read(tmp_path / name, ReadOptions(taxonomy=load_taxonomy()))
        made.append([(r.record_id, r.question, r.answer, r.value) for r in imported.records])
    assert made[0] == made[1] == made[2] == made[3]


def test_a_taxonomy_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "bridges.yaml").write_text(
        "name: bridges\nsubject_noun: bridge\nattributes:\n"
        "  - name: length\n    scope: shared\n    kind: length\n    questions: ['How long is this bridge?']\n"
        "    text_questions: ['How long is {subject}?']\n    answers: ['The bridge is {value} long.']\n",
        encoding="utf-8",
    )
    write(tmp_path / "claims.csv", [{"subject": "Ost Bridge", "attribute": "Length", "value": 189.5}])
    config = IngestConfig(taxonomy=str(tmp_path / "bridges.yaml"))
    ingest(tmp_path / "claims.csv", tmp_path / "out", config=config)
    (record,) = WholeDataset.read(tmp_path / "out").records
    assert record.answer == "The bridge is 189.50 meters long."
    assert record.value == ClaimValue(kind="length", text="189.50 meters", number=189.5, unit="m")


def test_bad_rows_stop_the_import_or_are_left_out_as_told(tmp_path: Path) -> None:
    source = write(
        tmp_path / "claims.csv",
        [{**CLUB, "picture": "", "attribute": "age", "value": "28"}, {**CLUB, "attribute": "feee"}],
    )
    with pytest.raises(SourceError, match=r"1 of 2 rows can't be used:\n  claims\.csv: record 1: line 3: unknown attr"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (2, 1, 1)


def test_a_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "claims.csv", [{**CLUB, "picture": "pics/a.png"}])
    with pytest.raises(MissingImagesError, match=r"1 of 1 distinct pictures are missing \(pics/a\.png\)"):
        ingest(source, tmp_path / "out")


def test_the_command_takes_sheet_columns_and_taxonomy(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "claims.xlsx") as book:
        for name, age in (("Old", 27), ("New", 28)):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["Subject", "Attribute", "Wert"])
            sheet.write_row(1, 0, ["Tavo Brinkhaus", "Age", age])
    arguments = ["ingest", str(tmp_path / "claims.xlsx"), str(tmp_path / "out"), "--format", "claims"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "no sheet has a header that is known. It has 'Old' (2 rows), 'New' (2 rows)" in result.stderr
    result = CliRunner().invoke(main, [*arguments, "--set", "shet=new"])
    assert (result.exit_code, "'shet'. Did you mean 'sheet'" in result.stderr) == (2, True)
    said_columns = ["--set", "value=Wert"]
    result = CliRunner().invoke(main, [*arguments, *said_columns])
    assert (result.exit_code, "several sheets could be meant" in result.stderr) == (2, True)
    chosen = ["--set", "sheet=new", "--taxonomy", "football", "--json"]
    result = CliRunner().invoke(main, [*arguments, *said_columns, *chosen])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["splits"] == {"text/retain": 1}
    (record,) = WholeDataset.read(tmp_path / "out").records
    assert record.answer == "The player is 28 years old."


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "subject,attribute\nx,y\n", "\x00\xff"])
def test_other_tables_are_not_recognised(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="latin-1")
    assert not claims.recognises(tmp_path / "a.csv")


@pytest.mark.parametrize("chunk", [1, 3])
def test_what_is_read_doesnt_depend_on_how_many_rows_are_held_at_a_time(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = claims.example(tmp_path)
    rows = source.read_text(encoding="utf-8").splitlines()
    again = [rows[1], rows[5].replace("example.org/42", "example.org/43"), rows[6], rows[5], ";;;;;;;;;;"]
    source.write_text("\n".join([*rows, *again, "x;Ilmar Quist;height;1.9;;ilmar.png;;;;;"]), encoding="utf-8")
    options = ReadOptions(taxonomy=load_taxonomy())
    whole = claims.read(source, options)
    kinds = [remark.kind for remark in whole.remarks]
    assert (kinds.count("duplicate"), kinds.count("merged")) == (3, 1)
    monkeypatch.setattr(_chunked, "CHUNK", chunk)
    parts = claims.read(source, options)
    assert list(parts.records) == list(whole.records)
    assert (parts.rows, parts.pictures, parts.subjects) == (whole.rows, whole.pictures, whole.subjects)
    assert parts.remarks == whole.remarks
    parts.check_accounts()
