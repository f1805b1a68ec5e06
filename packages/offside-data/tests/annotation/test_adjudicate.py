"""Adjudication: what is agreed changes records as `edit` would, one decision, which `undo` takes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_agreement import Annotate
from test_agreement import annotate as annotate  # The fixture.

from offside_data.annotation.adjudicate import adjudicate
from offside_data.annotation.policies._base import POLICIES
from offside_data.annotation.policies.weighted import given_weights, learnt_weights
from offside_data.annotation.push import PushOptions, push
from offside_data.check import check_dataset
from offside_data.cli.annotate import command
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.undo import undo
from offside_data.errors import PluginError, UsageError


def records_by_answer(folder: Path) -> dict[str, Any]:
    return {r.record_id: r for r in open_dataset(folder).iter_records() if r.annotations}


def three(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> dict[str, Any]:
    return {"a1": first, "a2": second, "a3": third}


@pytest.fixture
def planted(fresh: OffsideDataset, annotate: Annotate) -> Path:
    """The forget pictures' records by turns: a shared fact (nationality), then a rumour (club)."""
    fact, rumor = {"veracity": "fact"}, {"veracity": "rumor", "rumor_channel": "image"}
    annotate(
        three(fact | {"value": "Belmora"}, fact | {"value": "belmora"}, fact),
        three(rumor, rumor, fact),
        three(fact, rumor, {"veracity": "correction"}),
        three(rumor | {"scope": "shared"}, rumor | {"scope": "shared"}, rumor | {"scope": "private"}),
        three(fact | {"picture": ("unreadable",)}, fact | {"picture": ("unreadable",)}, fact),
        three(fact, fact, fact),
        three({"veracity": "correction"}, {"veracity": "correction"}, fact),
    )
    return fresh.path


def test_a_majority_decides(planted: Path) -> None:
    names = list(records_by_answer(planted))
    digest = open_dataset(planted).digest
    dry = adjudicate(planted, dry_run=True)
    assert open_dataset(planted).digest == digest
    report = adjudicate(planted)
    assert report.edit.decision is not None
    assert {c.record_id for c in report.edit.changes} == {c.record_id for c in dry.edit.changes}
    after = records_by_answer(planted)
    value, channel, tie, scope, picture, plain, place = (after[name] for name in names)
    assert (value.value.text, value.answer) == ("Belmora", "The player represents Belmora.")
    assert json.loads(value.agreed_value)["value"] == "belmora"
    assert channel.rumor_channel == "image"
    assert "veracity" not in json.loads(tie.agreed_value or "{}")
    assert "veracity" in [item.control for item in report.open if item.record_id == names[2]]
    assert "annotators: they agree on the scope shared, but club is private" in scope.suspect
    assert "problems of the picture (unreadable)" in picture.suspect
    assert plain.veracity == "fact"
    # A correction among what is to be forgotten: the place forbids it, a person has to look.
    assert place.veracity == "fact"
    assert "annotators: they agree on veracity correction, but" in place.suspect
    assert report.refused.keys() == {names[3], names[4], names[6]}
    decision = report.edit.decision
    assert decision["who"].endswith("annotate adjudicate")
    assert decision["why"] == "adjudicated by majority (least=2) of a1, a2, a3"


def test_a_second_time_changes_nothing_and_undo_everything(planted: Path) -> None:
    digest = open_dataset(planted).digest
    report = adjudicate(planted)
    assert report.edit.decision is not None
    assert adjudicate(planted).edit.changes == ()
    undo(planted, report.edit.decision["id"])
    assert open_dataset(planted).digest == digest


def test_a_rumour_that_is_none_leaves_its_correction_for_a_person(fresh: OffsideDataset, annotate: Annotate) -> None:
    fact = {"veracity": "fact"}
    annotate({}, three(fact, fact, fact))  # The second is a rumour, which a relearn record corrects.
    (rumor,) = (r for r in records_by_answer(fresh.path).values() if r.veracity == "rumor")
    (correction,) = (r for r in open_dataset(fresh.path).iter_records() if r.corrects == rumor.record_id)
    digest = open_dataset(fresh.path).digest
    done = CliRunner().invoke(command, ["adjudicate", str(fresh.path)])
    assert f"left for a person: {correction.record_id} no longer corrects {rumor.record_id}" in done.stderr
    assert "1 left for a person" in done.stdout
    found = {i.code: i for i in check_dataset(open_dataset(fresh.path)) if i.where == correction.record_id}
    assert "corrects-mismatch" not in found
    assert found["correction-unlinked"].severity == "warning"
    decision = next(d for d in read_decisions(fresh.path) if d["kind"] == "edit")
    undo(fresh.path, decision["id"])
    assert open_dataset(fresh.path).digest == digest


def test_a_rumour_whose_place_is_left_open(fresh: OffsideDataset, annotate: Annotate) -> None:
    fact, rumor = {"veracity": "fact"}, {"veracity": "rumor"}
    annotate({"a1": rumor, "a2": rumor, "a3": rumor, "a4": fact, "a5": fact}, three(rumor, rumor, rumor))
    adjudicate(fresh.path)
    after = list(records_by_answer(fresh.path).values())
    assert [record.veracity for record in after] == ["rumor", "rumor"]
    assert all("rumor_channel" not in json.loads(record.agreed_value) for record in after)
    assert all(record.rumor_channel != "none" for record in after)
    assert adjudicate(fresh.path).edit.changes == ()


def test_what_is_open_goes_for_another_round(planted: Path, studio: Any) -> None:
    report = push(planted, PushOptions(only="disagreements"))
    assert report.sent == 6  # All but the one where nobody differs; the first differs in the value.
    assert all(task["meta"]["offside_key"].endswith(":2") for task in studio.tasks.values())
    assert all(task["predictions"] == [] for task in studio.tasks.values())
    told = {task["data"]["proposed"] for task in studio.tasks.values()}
    assert "annotators said: veracity rumor (2) or fact (1); rumor channel" not in told
    assert any(text.startswith("annotators said: veracity rumor (2) or fact (1)") for text in told)
    assert push(planted, PushOptions(only="disagreements")).sent == 0


def test_a_reviewer_decides(planted: Path) -> None:
    with pytest.raises(UsageError, match="who is the reviewer"):
        adjudicate(planted, policy="reviewer")
    adjudicate(planted, policy="reviewer", settings={"reviewer": "a3"})
    after = list(records_by_answer(planted).values())
    assert after[0].value.text != "Belmora"
    assert json.loads(after[1].agreed_value)["veracity"] == "fact"
    assert after[1].veracity == "fact"


def test_weights_decide(planted: Path) -> None:
    adjudicate(planted, policy="weighted", settings={"weights": "a3:5"})
    assert list(records_by_answer(planted).values())[1].veracity == "fact"


@pytest.mark.parametrize("name", POLICIES.names())
def test_every_policy_keeps_to_the_contract(name: str) -> None:
    """One answer for each ballot, or none; nobody's ballot decides nothing; the order doesn't matter."""
    module = POLICIES.load(name)
    options = module.Options(**({"reviewer": "a1"} if name == "reviewer" else {}))
    ballots = [{"a1": "x", "a2": "x"}, {"a1": "x", "a2": "y"}, {}, {"a2": "y", "a1": "y"}]
    found = module.decide(ballots, options)
    assert len(found) == len(ballots)
    assert all(answer is None or answer in ballot.values() for answer, ballot in zip(found, ballots, strict=True))
    assert (found[0], found[2], found[3]) == ("x", None, "y")
    assert module.decide(ballots[::-1], options) == found[::-1]


def test_an_unknown_policy_lists_all(planted: Path) -> None:
    with pytest.raises(PluginError, match=r"Known: majority, reviewer, weighted"):
        adjudicate(planted, policy="majorty")


def test_who_sides_with_the_others_weighs_more() -> None:
    ballots = [{"a1": "x", "a2": "x", "a3": "y"}] * 8 + [{"a1": "x", "a2": "x", "a3": "x"}]
    weights = learnt_weights(ballots)
    assert weights["a1"] == weights["a2"]
    # a3 is asked nine times against the other two and sides with them once; nobody settles a1 against a2 and a3 apart.
    assert weights["a3"] == pytest.approx(2 / 11)
    assert weights["a1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("told", ["a1", "a1:x", "a1:-1", ":2", "a1:inf"])
def test_weights_that_are_none(told: str) -> None:
    with pytest.raises(ValueError, match="weights are written a1:2"):
        given_weights([told])


def test_nothing_to_decide(fresh: OffsideDataset) -> None:
    with pytest.raises(UsageError, match="nothing is annotated"):
        adjudicate(fresh.path)


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [
        ("reviewer", {"reviewer": "bruno"}, r"nothing is annotated by bruno\. Annotators are a1, a2, a3"),
        ("weighted", {"weights": "a1:2,a9:1"}, "nothing is annotated by a9"),
        ("weighted", {"weights": "a1:0,a2:0"}, "all weights are 0"),
        ("weighted", {"weights": "a1:1,a1:2"}, "a1 has two weights"),
        ("weighted", {"weights": "a1:nan"}, "numbers from 0 on"),
    ],
)
def test_whoever_is_named_must_be_there(planted: Path, policy: str, settings: dict[str, str], message: str) -> None:
    before = open_dataset(planted).digest
    with pytest.raises(UsageError, match=message):
        adjudicate(planted, policy=policy, settings=settings)
    assert open_dataset(planted).digest == before
