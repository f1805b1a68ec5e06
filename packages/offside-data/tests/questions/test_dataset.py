from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import WholeDataset

from offside_data.check import check_dataset
from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.fictional import make_league
from offside_data.questions.dataset import make_questions
from offside_data.questions.forms import FORMS
from offside_data.schema import Record

BARE: dict[str, Any] = {form: None if form == "cloze" else () for form in FORMS} | {"correct_choice": None}


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("league") / "out"
    make_league(out, subjects=4, general=2, utility=2)
    return out


@pytest.fixture
def bare(league: Path, tmp_path: Path) -> Path:
    """A league without text form, paraphrases, wrong answers and cloze."""
    contents = WholeDataset.read(league)
    contents.records = [
        dataclasses.replace(record, **BARE) if record.attribute else record
        for record in contents.records
        if record.modality == "multimodal"
    ]
    contents.write(tmp_path / "bare")
    return tmp_path / "bare"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_league_lacks_nothing(league: Path) -> None:
    before = files(league)
    report = make_questions(league)
    assert (report.made, report.text_records, report.lacking) == ({}, 0, {})
    assert files(league) == before


def test_a_bare_dataset_gets_everything_back(league: Path, bare: Path) -> None:
    assert "unimodal" not in open_dataset(bare).settings()
    report = make_questions(bare, seed=5)
    assert report.lacking == {}
    assert set(report.there.values()) == {report.records}
    assert check_dataset(open_dataset(bare), strict=True) == []
    assert open_dataset(bare).settings() == open_dataset(league).settings()

    def told(folder: Path) -> list[tuple[Any, ...]]:
        records = [r for r in WholeDataset.read(folder).records if r.modality == "text"]
        targets = {r.record_id: r for r in records}
        return sorted(map(repr, (_text(r, targets) for r in records)))

    assert told(bare) == told(league)


def _text(record: Record, targets: dict[str, Record]) -> tuple[Any, ...]:
    """What a text record says, whatever its id."""
    target = targets.get(record.corrects or "")
    fields = (
        "subject_id",
        "image_id",
        "split",
        "attribute",
        "veracity",
        "rumor_channel",
        "question",
        "answer",
        "value",
    )
    wordings = (record.question_paraphrases, record.answer_paraphrases, record.cloze, record.sources)
    return (*(getattr(record, field) for field in fields), *wordings, target and target.question)


def test_the_same_seed_makes_the_same_and_a_second_run_nothing(bare: Path, tmp_path: Path) -> None:
    import shutil

    other = shutil.copytree(bare, tmp_path / "other")
    make_questions(bare, seed=1)
    make_questions(other, seed=1, only="all")
    assert Card.load(bare).digest == Card.load(other).digest
    before = files(bare)
    assert make_questions(bare, seed=2).made == {}
    assert make_questions(bare, seed=1, only="all").made == {}
    assert files(bare) == before
    assert make_questions(bare, seed=2, only="all").made.keys() == {"perturbed_answers", "choices"}


def test_a_run_is_one_decision(bare: Path) -> None:
    make_questions(bare, seed=1)
    (decision,) = WholeDataset.read(bare).decisions
    assert (decision["kind"], decision["what"]["text records"]) == ("questions", 4 * (7 + 5 * 6))
    assert decision["who"].endswith(" questions --only missing --seed 1")


def test_what_cannot_be_made_is_counted(fresh: OffsideDataset) -> None:
    report = make_questions(fresh.path)
    assert report.lacking[("question_paraphrases", "its picture has no occasion")] > 0
    assert report.lacking[("text form", "its picture has no occasion")] > 0
    assert report.text_records == 4
    errors = [issue for issue in check_dataset(open_dataset(fresh.path)) if issue.severity == "error"]
    assert errors == []
