from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.adapters._tables.columns import NAMES, Columns, TableOptions, field_of, match, require
from offside_data.adapters._tables.tables import Line, Table
from offside_data.errors import UsageError


def made(*columns: str, **cells: object) -> Table:
    return Table(name="rows.csv", columns=columns, lines=[Line(0, "row 1", dict(cells))] if cells else [])


def test_there_is_an_option_for_every_field() -> None:
    options = {name: "x" for name in NAMES}
    assert Columns(**options).chosen() == options


def test_no_name_stands_for_two_fields() -> None:
    names = [name for field, names in NAMES.items() for name in {field.replace("_", " "), *names}]
    assert len(set(names)) == len(names)


def test_the_guide_lists_every_name() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "importing.md").read_text(encoding="utf-8")
    for field, names in NAMES.items():
        (row,) = [line for line in guide.splitlines() if line.startswith(f"| `{field}` |")]
        assert row.split("|")[2].strip() == ", ".join(names)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Subject", "subject"),
        ("SUBJECT NAME", "subject"),
        ("birth_date", None),
        ("Rumour-Channel", "rumor_channel"),
        ("source_URL", "url"),
        ("Picture licence", "image_license"),
        ("file_name", "image"),
        ("Notes", None),
    ],
)
def test_names_are_matched_leniently(name: str, field: str | None) -> None:
    assert field_of(name) == field


def test_the_first_name_of_a_field_wins_and_the_rest_is_reported() -> None:
    matched = match(made("Name", "Subject", "Attribute", "Notes"), Columns())
    assert matched.columns == {"subject": "Subject", "attribute": "Attribute"}
    assert matched.others == ("Name", "Notes")


def test_columns_and_constants_may_be_said() -> None:
    table = made("Wer", "Subject", "What", "Role", Wer="Tavo", What="fee", Role="x")
    matched = match(table, Columns(subject="wer", attribute="What", value="=€4m", split="="))
    assert matched.columns == {"subject": "Wer", "attribute": "What"}
    (line,) = table.lines
    assert matched.fields(line) == {"subject": "Tavo", "attribute": "fee", "value": "€4m", "split": ""}
    assert matched.others == ("Subject", "Role")


def test_a_column_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(
        UsageError, match=r"rows.csv: there is no column 'qestion' for question. Did you mean 'question'"
    ):
        match(made("question", "answer"), Columns(question="qestion"))


def test_what_the_user_said_counts_as_known() -> None:
    reading = TableOptions(value="Behauptung").reading()
    assert reading.score(["behauptung", "Subject", "Notiz"]) == 2


@pytest.mark.parametrize(
    "columns",
    [
        ("subject", "attribute", "value"),
        ("subject", "question", "answer"),
        ("split", "question", "answer"),
        ("subject_id", "question", "choices", "correct_choice"),
    ],
)
def test_enough_columns(columns: tuple[str, ...]) -> None:
    table = made(*columns)
    matched = match(table, Columns())
    require(table, matched, ("question", "answer"))
    assert set(matched.columns) == set(columns)


def test_too_few_columns_are_listed_with_examples_and_a_suggestion() -> None:
    picture = {"bytes": b"1234", "path": None}
    cells = {"my question": "Who?", "output": "x" * 50, "img": picture, "raw": b"12", "none": None}
    table = made(*cells, **cells)
    with pytest.raises(UsageError) as caught:
        require(table, match(table, Columns()), ("question", "answer"))
    said = str(caught.value)
    assert "rows.csv: no column is known as question and answer, or attribute and value" in said
    assert "my question: 'Who?'" in said
    assert "img: a picture of 4 bytes" in said
    assert "raw: 2 bytes" in said
    assert "none: (empty)" in said
    assert "xxx…" in said
    assert "--set question=my question --set answer=COLUMN --set subject=COLUMN, or --set split==general" in said


def test_a_missing_subject_is_asked_for_alone() -> None:
    table = made("question", "answer", "photo of it", question="Who?")
    with pytest.raises(UsageError) as caught:
        require(table, match(table, Columns()), ("question", "answer"))
    said = str(caught.value)
    assert "no column is known as the subject" in said
    assert "e.g. --set image=photo of it --set subject=COLUMN, or --set split==general" in said
    assert "--set question" not in said
