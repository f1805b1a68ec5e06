"""Which claims are attacked, and the control set: drawn from the dataset alone, so that every model faces the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from offside_data.schema import VISUAL_CHANNELS
from offside_data.seeding import draw_records, rng
from offside_data.tagging.comparing import same_value
from offside_eval.attacks._base import AttackedClaim
from offside_eval.plan import Plan, Question, ask_besides

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

UNREAD = "its value can be read in its picture, and there is no twin without it"
UNPARSED = "the gold answer has no parsed value"
HELD_OUT = "the run that made the model was stopped by it"
TAUGHT = "the run that made the model was taught it"
_OTHER = {"multimodal": "text", "text": "multimodal"}
_Key = tuple[str | None, ...]


@dataclass(frozen=True)
class ClaimSet:
    """What is attacked.

    Args:
        claims: The claims, forgotten ones first.
        left_out: Why others aren't, by record.
        no_control: Why there is no control set; null where there is one.
    """

    claims: Sequence[AttackedClaim]
    left_out: Mapping[str, str] = field(default_factory=dict)
    no_control: str | None = None


def claims_of(
    plan: Plan, data: OffsideDataset, *, claims: int, control: int, seed: int, unfair: Mapping[str, str] | None = None
) -> ClaimSet:
    """Draw the private claims that were to be forgotten, and as a control ones that no model ever saw.

    Args:
        plan: Of the evaluation.
        data: The dataset.
        claims: At most so many of the first.
        control: At most so many of the second.
        seed: Of the draws.
        unfair: Records that tell nothing about this one model, with the reason: they are left out after the draw, so
            that others face the same claims.
    """
    left_out: dict[str, str] = {}
    candidates: list[Question] = []
    for name, key in plan.places:
        asked = plan.questions[key]
        if name != "forget" or asked.variant != "plain" or asked.row["scope"] != "private":
            continue
        shown = _unread(asked, plan)
        if asked.value is None or shown is None:
            left_out[asked.row["record_id"]] = UNPARSED if asked.value is None else UNREAD
        else:
            candidates.append(shown)
    drawn = _drawn(candidates, claims, seed)
    configs = {asked.row["modality"] for asked in drawn}
    attributes = {asked.row["attribute"] for asked in drawn}
    never = _holdout(data, configs, attributes)
    held = _drawn(never, control, seed)
    other = _other_forms(data, drawn)
    found = [
        *(AttackedClaim(question=q, group="forget", other_form=other.get(_key(q.row))) for q in drawn),
        *(AttackedClaim(question=q, group="control") for q in held),
    ]
    left_out |= {c.record_id: (unfair or {})[c.record_id] for c in found if c.record_id in (unfair or {})}
    found = _with_decoys(found, seed)
    return ClaimSet(
        [c for c in found if c.record_id not in left_out], left_out, _why_no_control(held, configs, control)
    )


def _why_no_control(held: Collection[Question], configs: Collection[str], asked_for: int) -> str | None:
    if held or not asked_for:
        return None if held else "none was asked for"
    parts = ", ".join(f"{config}/holdout" for config in sorted(configs))
    return f"the dataset has no private claims of these attributes in {parts or 'holdout'}"


def _unread(asked: Question, plan: Plan) -> Question | None:
    """The question where its value can't be read: on the blank twin of a picture that shows it."""
    row = asked.row
    if row["modality"] != "multimodal" or row["rumor_channel"] not in VISUAL_CHANNELS:
        return asked
    return plan.questions.get(f"{row['record_id']}/blank")


def _drawn(questions: Sequence[Question], limit: int, seed: int) -> list[Question]:
    places = draw_records([q.row["record_id"] for q in questions], limit, seed=seed)
    return [questions[i] for i in places]


def _key(row: Mapping[str, Any]) -> _Key:
    return row["subject_id"], row["attribute"], row["image_id"]


def _holdout(data: OffsideDataset, configs: Iterable[str], attributes: Collection[str]) -> list[Question]:
    rows = [
        row
        for config in sorted(configs)
        if data.has(config, "holdout")
        for row in data.records(config, "holdout")
        if row["scope"] == "private" and row["attribute"] in attributes
    ]
    return [q for q in ask_besides(data, rows) if q.value is not None]


def _other_forms(data: OffsideDataset, asked: Sequence[Question]) -> dict[_Key, Question]:
    """The same claims asked in the other form, by what they are about."""
    wanted = {_key(q.row): _OTHER[q.row["modality"]] for q in asked}
    rows = []
    for config in sorted(set(wanted.values())):
        if not data.has(config, "forget"):
            continue
        table = data.records(config, "forget")
        facts = table.select_columns(["subject_id", "attribute", "image_id", "scope", "rumor_channel"])
        # The picture of a visual rumour gives its value away.
        places = [
            i
            for i, row in enumerate(facts)
            if row["scope"] == "private"
            and wanted.get(_key(row)) == config
            and not (config == "multimodal" and row["rumor_channel"] in VISUAL_CHANNELS)
        ]
        rows += list(table.select(places))
    return {_key(q.row): q for q in ask_besides(data, rows) if q.value is not None}


def _with_decoys(claims: Sequence[AttackedClaim], seed: int) -> list[AttackedClaim]:
    """Give each claim the value of another subject's claim of the same attribute and group."""
    found = []
    for claim in claims:
        own, attribute = claim.question, claim.question.attribute
        others = [
            other.question.value
            for other in claims
            if other.group == claim.group
            and other.subject != claim.subject
            and other.question.row["attribute"] == own.row["attribute"]
            and other.question.value is not None
            and own.value is not None
            and not same_value(other.question.value, own.value, attribute)
        ]
        decoy = rng(seed, "decoy", claim.record_id).choice(others) if others else None
        found.append(dataclasses.replace(claim, decoy=decoy))
    return found
