"""Agreement: figures of planted answers by hand, disagreements in order, a page that needs nothing else."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.annotation.agreement import ALL, AgreementReport, agreement
from offside_data.annotation.answers import RecordJudgement
from offside_data.annotation.disagreements import value_as_said
from offside_data.annotation.tasks import chosen_records
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import OutputExistsError, UsageError
from offside_data.taxonomy import Taxonomy

Annotate = Callable[..., None]


@pytest.fixture
def annotate(fresh: OffsideDataset) -> Annotate:
    """Put answers into the records of the forget pictures: for each record, by annotator, its answers or null."""

    def annotate(*answers: dict[str, dict[str, Any] | None], round: int = 1, keep: bool = False) -> None:
        dataset = open_dataset(fresh.path)
        records = list(chosen_records(dataset, ("split=forget", "config=multimodal")))
        changed = []
        for record, by in zip(records, answers, strict=False):
            said = list(record.judgements) if keep else []
            said += [
                RecordJudgement(
                    annotator=name, at=f"2026-01-0{round}T00:00:00Z", answers=told or {}, skipped=told is None,
                    id=f"{record.record_id}-{name}-{round}", shown=record.shown, round=round,
                )
                for name, told in by.items()
            ]  # fmt: skip
            (before,) = (r for r in dataset.iter_records() if r.record_id == record.record_id)
            changed.append(dataclasses.replace(before, annotations=tuple(j.to_annotation() for j in said)))
        with change_dataset(dataset) as change:
            change.update_records(changed, ["annotations"])

    return annotate


def both(first: str, second: str) -> dict[str, dict[str, Any] | None]:
    return {"a1": {"veracity": first}, "a2": {"veracity": second}}


PLANTED = (*[both("fact", "fact")] * 4, *[both("rumor", "rumor")] * 2, both("rumor", "fact"), both("fact", "rumor"))


def alpha_of(report: AgreementReport, control: str, attribute: str = ALL) -> Any:
    (found,) = (row.alpha for row in report.alphas if (row.control, row.attribute) == (control, attribute))
    return found


def test_figures_of_planted_answers(fresh: OffsideDataset, annotate: Annotate) -> None:
    annotate(*PLANTED)
    report = agreement(fresh.path)
    # 16 answers, 10 are fact; two of eight records differ: 1 - 15 * 4 / (256 - 100 - 36).
    assert alpha_of(report, "veracity").value == pytest.approx(1 - 15 * 4 / 120)
    (pair,) = (row for row in report.pairs if row.control == "veracity")
    # Seen 6/8; by chance (5 * 5 + 3 * 3) / 64.
    assert pair.kappa.value == pytest.approx((48 - 34) / (64 - 34))
    assert (pair.first, pair.second) == ("a1", "a2")
    assert pair.confusion == {"fact": {"fact": 4, "rumor": 1}, "rumor": {"fact": 1, "rumor": 2}}
    assert (report.records, report.annotators, report.skipped) == (8, {"a1": 8, "a2": 8}, {})
    assert len(report.disagreements) == 2
    by_attribute = [row for row in report.alphas if row.control == "veracity" and row.attribute != ALL]
    assert sorted(row.attribute for row in by_attribute) == ["club", "nationality"]
    assert sum(row.alpha.items for row in by_attribute) == 8


def test_who_skipped_has_no_vote(fresh: OffsideDataset, annotate: Annotate) -> None:
    annotate({"a1": {"veracity": "fact"}, "a2": None}, both("fact", "rumor"))
    report = agreement(fresh.path)
    assert (report.records, report.annotators, report.skipped) == (2, {"a1": 2, "a2": 1}, {"a2": 1})
    assert alpha_of(report, "veracity").items == 1


def test_coefficients_are_of_the_first_round_disagreements_of_the_last(
    fresh: OffsideDataset, annotate: Annotate
) -> None:
    annotate(*PLANTED)
    first = agreement(fresh.path)
    annotate(*[{"a2": by["a1"]} for by in PLANTED], round=2, keep=True)
    second = agreement(fresh.path)
    assert second.alphas == first.alphas
    assert second.disagreements == []
    with_round = agreement(fresh.path, round=2)
    assert with_round.pairs == []


def test_answers_about_an_earlier_state_do_not_count(fresh: OffsideDataset, annotate: Annotate) -> None:
    annotate(both("fact", "rumor"))
    (record,) = (r for r in open_dataset(fresh.path).iter_records() if r.annotations)
    with change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(record, question="Which?")], ["question"])
    with pytest.raises(UsageError, match="nothing is annotated as it is now"):
        agreement(fresh.path)


def test_what_matters_most_comes_first(fresh: OffsideDataset, annotate: Annotate) -> None:
    annotate(
        {"a1": {"tier": "media"}, "a2": {"tier": "social"}},
        {"a1": {"veracity": "fact"}, "a2": {"veracity": "fact"}, "a3": {"veracity": "rumor"}},
        {"a1": {"veracity": "fact"}, "a2": {"veracity": "rumor"}},
    )
    report = agreement(fresh.path)
    assert [list(found.votes) for found in report.disagreements][-1] == ["tier"]
    matters = [found.matters for found in report.disagreements]
    assert matters == sorted(matters, reverse=True)


def test_a_page_shows_them_with_pictures(fresh: OffsideDataset, annotate: Annotate, tmp_path: Path) -> None:
    annotate({"a1": {"veracity": "fact", "comment": "<b>odd</b>"}, "a2": {"veracity": "rumor"}})
    page = tmp_path / "page.html"
    report = agreement(fresh.path, page=page)
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == 1
    assert text.count("data:image/jpeg;base64,") == 1
    assert html.escape(report.disagreements[0].answer) in text
    assert "&lt;b&gt;odd&lt;/b&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    agreement(fresh.path, page=page)  # It is ours: it may be written again.
    page.write_text("mine")
    with pytest.raises(OutputExistsError, match="nothing that this command wrote"):
        agreement(fresh.path, page=page)


@pytest.mark.parametrize(
    ("attribute", "texts", "same"),
    [
        ("birth_date", ("1993-08-10", "10 August 1993", "August 10, 1993"), True),
        ("height", ("1.81 m", "181 cm"), True),
        ("fee", ("€35.00m", "35 million euros"), True),
        ("fee", ("€35.00m", "£35.00m"), False),
        ("club", ("Norvale Rovers", "norvale rovers"), True),
        ("club", ("Norvale Rovers", "Emberlin FC"), False),
    ],
)
def test_values_are_compared_by_what_they_say(
    taxonomy: Taxonomy, attribute: str, texts: tuple[str, ...], same: bool
) -> None:
    assert (len({value_as_said(text, taxonomy[attribute]) for text in texts}) == 1) == same


def test_nothing_annotated(fresh: OffsideDataset) -> None:
    with pytest.raises(UsageError, match=r"nothing is annotated\. Send records"):
        agreement(fresh.path)
