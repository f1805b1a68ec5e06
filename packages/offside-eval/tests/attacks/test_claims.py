"""Which claims are attacked, and what is beside them: looked up in the dataset's tables anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_eval.attacks import _claims
from offside_eval.attacks._claims import _holdout, _other_forms, _why_no_control, claims_of
from offside_eval.plan import Plan, make_plan


@pytest.fixture(scope="module")
def plan(attacked_data: OffsideDataset) -> Plan:
    return make_plan(attacked_data, "complete")


def rows(data: OffsideDataset, config: str, split: str) -> list[dict[str, Any]]:
    return [row for row in data.records(config, split) if row["scope"] == "private"]


def test_all_private_claims_and_the_control_set(attacked_data: OffsideDataset, plan: Plan) -> None:
    found = claims_of(plan, attacked_data, claims=99, control=99, seed=0)
    sides = {group: [c for c in found.claims if c.group == group] for group in ("forget", "control")}
    wanted = {row["record_id"] for row in rows(attacked_data, "multimodal", "forget")}
    assert len(sides["forget"]) == len(wanted)
    assert {c.record_id for c in sides["forget"]} == wanted
    never = {row["record_id"] for row in rows(attacked_data, "multimodal", "holdout")}
    assert {c.record_id for c in sides["control"]} == never
    assert (found.left_out, found.no_control) == ({}, None)
    for c in found.claims:
        shown = c.question.row["rumor_channel"] == "both"
        assert c.question.variant == ("blank" if shown else "plain")
        others = {
            other.question.value.text
            for other in sides[c.group]
            if other.subject != c.subject and other.question.row["attribute"] == c.question.row["attribute"]
        } - {c.question.value.text}
        assert c.decoy is not None
        assert c.decoy.text in others
        assert (c.other_form is None) == (c.group == "control")
    few = claims_of(plan, attacked_data, claims=3, control=0, seed=1)
    assert (len(few.claims), few.no_control) == (3, "none was asked for")
    assert [c.record_id for c in few.claims] != [c.record_id for c in found.claims][:3]
    unfair = {few.claims[1].record_id: "it was taught", "of another model": "nothing"}
    fewer = claims_of(plan, attacked_data, claims=3, control=0, seed=1, unfair=unfair)
    assert [c.record_id for c in fewer.claims] == [few.claims[i].record_id for i in (0, 2)]
    assert fewer.left_out == {few.claims[1].record_id: "it was taught"}


def test_the_control_set_is_of_the_same_attributes_and_parts(
    attacked_data: OffsideDataset, lacking: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = _holdout(attacked_data, ["text", "multimodal"], {"club"})  # There is no text/holdout.
    assert [q.row["attribute"] for q in held] == ["club"] * 4
    assert _holdout(lacking(attacked_data, ("multimodal", "holdout")), ["multimodal"], {"club"}) == []
    everything = [{"scope": scope, "attribute": "club"} for scope in ("shared", "private")]
    fake = SimpleNamespace(has=lambda *part: True, records=lambda *part: everything)
    monkeypatch.setattr(
        _claims, "ask_besides", lambda data, of: [SimpleNamespace(row=row, value=v) for row in of for v in (None, "a")]
    )
    assert [(q.row["scope"], q.value) for q in _holdout(fake, ["text"], {"club"})] == [("private", "a")]
    assert _why_no_control([], ["text", "multimodal"], 3) == (
        "the dataset has no private claims of these attributes in multimodal/holdout, text/holdout"
    )
    assert _why_no_control([], [], 0) == "none was asked for"
    assert _why_no_control(held, ["text"], 0) is _why_no_control(held, ["text"], 9) is None


def test_other_forms_are_of_the_same_claims_and_give_nothing_away(
    attacked_data: OffsideDataset, plan: Plan, lacking: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [c.question for c in claims_of(plan, attacked_data, claims=5, control=0, seed=0).claims]

    def about(of: Any) -> set[tuple[Any, ...]]:
        return {(q.row["subject_id"], q.row["attribute"], q.row["image_id"]) for q in of}

    other = _other_forms(attacked_data, drawn)
    assert set(other) == about(other.values()) == about(drawn)
    assert {q.row["modality"] for q in other.values()} == {"text"}
    assert _other_forms(lacking(attacked_data, ("text", "forget")), drawn) == {}
    # Of the claims asked as text, those whose picture shows the value have no fair form with a picture.
    pictured = _other_forms(attacked_data, list(other.values()))
    assert {q.row["modality"] for q in pictured.values()} <= {"multimodal"}
    assert about(pictured.values()) == about(q for q in drawn if q.row["rumor_channel"] != "both")
    assert len(pictured) < len(drawn)
    monkeypatch.setattr(_claims, "ask_besides", lambda data, of: [SimpleNamespace(row=r, value=None) for r in of])
    assert _other_forms(attacked_data, drawn) == {}


def test_without_a_parsed_value_or_another_value_there_is_nothing_to_look_for(
    small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_dataset(small_data)
    plan = make_plan(data, "complete")
    for key, asked in plan.questions.items():
        if asked.row["attribute"] == "club" and asked.row["subject_id"] == "s3":
            object.__setattr__(plan.questions[key], "value", None)
        elif asked.row["attribute"] == "fee":
            object.__setattr__(plan.questions[key], "value", plan.questions["multimodal-forget-s2-fee/plain"].value)
    found = claims_of(plan, data, claims=99, control=5, seed=0)
    assert found.left_out == {"multimodal-forget-s3-club": "the gold answer has no parsed value"}
    assert found.no_control == "the dataset has no private claims of these attributes in multimodal/holdout"
    assert {c.question.row["attribute"]: c.decoy is None for c in found.claims} == {"club": False, "fee": True}
