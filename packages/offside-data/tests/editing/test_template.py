from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from edits import records, state
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.edit import edit_dataset, write_template
from offside_data.editing.columns import CLEAR, read, written
from offside_data.errors import OutputExistsError, UsageError
from offside_data.schema import Record, Source


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_an_untouched_template_changes_nothing(league: OffsideDataset, tmp_path: Path, suffix: str) -> None:
    before = state(league.path)
    count = write_template(league.path, tmp_path / f"all.{suffix}")
    report = edit_dataset(league.path, tmp_path / f"all.{suffix}")
    assert (report.rows, report.changes, report.decision) == (count, (), None)
    assert count == len(records(league.path))
    assert state(league.path) == before


ODD = (
    *("=1+1", "'=1+1", "''@home", "-5", "+7", "@ana", "'s-Hertogenbosch", "'", "007", "1e5", "2019-07-01"),
    *(
        "(clear)",
        "(Clear)",
        "'(clear)",
        "'(CLEAR)",
        "TRUE",
        "Ünïcödé, \u0645\u0631\u062d\u0628\u0627 \U0001f3c6",
        'a "quoted", thing; here',
    ),
    *("_x0041_", "a|b", "\tx\ty", "two\nlines", "  stray  blanks ", "NaN", "null", "#N/A", "<image>", "€1,000"),
)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_odd_texts_come_back_from_a_template(fresh: OffsideDataset, tmp_path: Path, suffix: str) -> None:
    changed = [
        dataclasses.replace(
            record, suspect=text, agreed_value=text, sources=(Source(publisher=text, tier="media", license=text),) * 2
        )
        for text, record in zip(ODD, fresh.iter_records(), strict=False)
    ]
    with change_dataset(fresh) as writing:
        writing.update_records(changed, ["suspect", "agreed_value", "sources"])
    dataset = open_dataset(fresh.path)
    write_template(dataset.path, tmp_path / f"odd.{suffix}")
    assert edit_dataset(dataset.path, tmp_path / f"odd.{suffix}").changes == ()
    assert open_dataset(dataset.path).digest == dataset.digest


def test_a_spreadsheet_runs_no_cell_of_a_csv_template(fresh: OffsideDataset, tmp_path: Path) -> None:
    record = next(fresh.iter_records())
    with change_dataset(fresh) as writing:
        writing.update_records([dataclasses.replace(record, suspect='=HYPERLINK("x")')], ["suspect"])
    write_template(fresh.path, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert '\'=HYPERLINK("x")' in cells
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]


@given(st.text(alphabet="'=+-@()clear ax", max_size=12), st.booleans())
def test_what_is_written_is_read(text: str, formulas: bool) -> None:
    clean = " ".join(text.split())
    cell = written(clean, formulas=formulas)
    assert read(cell) == clean
    assert cell.casefold() != CLEAR


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["split=forget"], lambda r: r.split == "forget"),
        (["split=forget", "split=relearn"], lambda r: r.split in ("forget", "relearn")),
        (["split=forget", "attribute=club"], lambda r: r.split == "forget" and r.attribute == "club"),
        (["scope=private", "config=text"], lambda r: r.scope == "private" and r.modality == "text"),
        (["veracity=false"], lambda r: r.veracity == "rumor"),
        (["subject=Orlo Vantis"], lambda r: r.subject_id == "s1"),
        (["subject=s2"], lambda r: r.subject_id == "s2"),
        (["suspect=no"], lambda r: r.suspect is None),
        (["text~WITH Emberlin fc"], lambda r: "with Emberlin FC" in r.answer),
    ],
)
def test_conditions_choose_records(
    small: OffsideDataset, tmp_path: Path, where: list[str], expected: Callable[[Record], bool]
) -> None:
    count = write_template(small.path, tmp_path / "t.parquet", where)
    names = pl.read_parquet(tmp_path / "t.parquet")["record_id"].to_list()
    assert count == len(names)
    assert set(names) == {record.record_id for record in small.iter_records() if expected(record)} != set()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["attribut=fee"], "unknown key 'attribut'. Did you mean 'attribute'?"),
        (["fee"], "--where takes KEY=VALUE"),
        (["attribute="], "--where takes KEY=VALUE"),
        (["split=forgot"], "unknown split 'forgot'. Did you mean 'forget'?"),
        (["suspect=maybe"], "unknown suspect 'maybe'"),
        (["attribute=clubs"], "Did you mean attribute=club?"),
        (["subject=Orlo Vanti"], "Did you mean subject=Orlo Vantis?"),
        (["text~zebra"], "no record fits --where text~zebra"),
    ],
)
def test_a_condition_that_fits_nothing(small: OffsideDataset, tmp_path: Path, where: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_template(small.path, tmp_path / "t.csv", where)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_some_columns_alone(small: OffsideDataset, tmp_path: Path) -> None:
    write_template(small.path, tmp_path / "t.csv", ["split=forget"], columns=["value"])
    header = (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header == "record_id,subject_id,image_id,modality,scope,value"
    with pytest.raises(UsageError, match=r"unknown column 'valeu'\. Did you mean 'value'\?"):
        write_template(small.path, tmp_path / "t.csv", columns=["valeu"])


def test_a_picture_is_called_by_its_file(fresh: OffsideDataset, tmp_path: Path) -> None:
    with change_dataset(fresh) as writing:
        rows = writing.table_rows("images")
        writing.set_table("images", [{**rows[0], "source": "claims:scans/1.jpg"}, *rows[1:]])
    write_template(fresh.path, tmp_path / "t.parquet", ["image=scans/1.jpg"])
    assert set(pl.read_parquet(tmp_path / "t.parquet")["image_id"]) == {rows[0]["image_id"]}


def test_a_template_of_another_kind(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end its name in \.csv, \.xlsx, \.parquet"):
        write_template(small.path, tmp_path / "t.ods")


def test_a_text_that_no_cell_holds(fresh: OffsideDataset, tmp_path: Path) -> None:
    with change_dataset(fresh) as writing:
        writing.update_records([dataclasses.replace(next(fresh.iter_records()), suspect="x" * 40_000)], ["suspect"])
    with pytest.raises(UsageError, match=r"32,767 characters a cell; write a \.csv"):
        write_template(fresh.path, tmp_path / "t.xlsx")
    assert not list(tmp_path.glob("*t.xlsx*"))
    write_template(fresh.path, tmp_path / "t.csv")
    assert edit_dataset(fresh.path, tmp_path / "t.csv").changes == ()


def test_a_table_that_is_there_may_be_filled_in(small: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(OutputExistsError, match="may be filled in"):
        write_template(small.path, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "mine"


@pytest.mark.parametrize("place", ["data/multimodal/t.parquet", "t.csv", "data/text/forget-00000-of-00001.parquet"])
def test_a_template_is_no_file_of_a_dataset(fresh: OffsideDataset, small: OffsideDataset, place: str) -> None:
    before = {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()}
    for dataset in (fresh, small):
        with pytest.raises(UsageError, match=r"lies in the dataset .*Write it elsewhere"):
            write_template(dataset.path, fresh.path / place)
    assert {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()} == before
