"""What follows from changed claims: their text form, the subject's facts, and the forms that no longer fit."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_data.dataset.storage import Row
from offside_data.questions import phrasings
from offside_data.questions.forms import Forms
from offside_data.questions.knowledge import value_group
from offside_data.questions.text_form import TEXT_SPLITS
from offside_data.schema import VISUAL_CHANNELS, ClaimValue, Record
from offside_data.tagging.suspects import same_answer
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import answer_states, same_value
from offside_data.taxonomy import Taxonomy

WRONG = ("perturbed_answers", "choices")
"""The forms that hold wrong answers."""
_OF_ANSWER = ("answer_paraphrases", *WRONG, "cloze")
FOLLOWING = ("value", "answer", "veracity", "rumor_channel", "sources", "corrects", "split")
"""Fields of a claim that its text form, or the same claim about a copied picture, takes over."""
_Key = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Pair:
    """A record as it was and as it will be."""

    before: Record
    after: Record

    def differs(self, *fields: str) -> bool:
        """Whether one of these fields is another."""
        return any(getattr(self.before, name) != getattr(self.after, name) for name in fields)

    @property
    def claims_otherwise(self) -> bool:
        """Whether it says something else than before."""
        return self.differs("attribute", "value", "answer", "veracity")


@dataclass
class Consequences:
    """What follows from the changed records.

    Args:
        followed: The records that change with a claim; by record id, with the claim's id.
        notes: What doesn't follow, and why.
    """

    followed: dict[str, tuple[Pair, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def key_of(record: Record) -> _Key:
    """What a claim is about: subject and attribute, of a private claim also its picture."""
    return record.subject_id, record.image_id if record.scope == "private" else None, record.attribute


# ---------------------------------------------------------------------------------------------
# The text form


def consequences(
    changed: Mapping[str, Pair], around: Iterable[Record], own: frozenset[str], taxonomy: Taxonomy
) -> Consequences:
    """What follows the claims of pictures: their text form, and the same claims of pictures made from theirs.

    Args:
        changed: The records that the table changes, by id.
        around: All other records about the same subjects and attributes.
        own: Ids of records whose row in the table says what they claim: they follow nothing.
        taxonomy: The taxonomy.
    """
    now = _Now([pair.after for pair in changed.values()] + list(around), taxonomy)
    made = Consequences()
    for pair in changed.values():
        claim = pair.before
        if claim.attribute is None or not pair.differs("attribute", *FOLLOWING):
            continue
        if claim.modality == "text":
            made.notes += now.contradictions(pair)
            continue
        for other, what in now.followers(claim):
            known = made.followed.get(other.record_id)
            other = known[0].after if known else other
            why = now.why_not(pair, other)
            if other.record_id in own:
                why = "its own row in the table says what it claims"
            if why:
                made.notes.append(f"{other.record_id}, {what} {claim.record_id}, stays as it is: {why}")
                continue
            new = now.text_form(pair, other) if other.modality == "text" else _copied(pair, other)
            if new != other:
                before = changed[other.record_id].before if other.record_id in changed else other
                before = known[0].before if known else before
                made.followed[other.record_id] = Pair(before, new), claim.record_id
    return made


class _Now:
    """The records about some subjects, as the table leaves them."""

    def __init__(self, records: Sequence[Record], taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._by_id = {record.record_id: record for record in records}
        self._shown: dict[_Key, list[Record]] = defaultdict(list)
        self._texts: dict[_Key, list[Record]] = defaultdict(list)
        self._copies: dict[tuple[str | None, str | None], list[Record]] = defaultdict(list)
        for record in records:
            (self._shown if record.modality == "multimodal" else self._texts)[key_of(record)].append(record)
            if record.modality == "multimodal" and record.derived_from is not None:
                self._copies[record.derived_from, record.attribute].append(record)

    def followers(self, claim: Record) -> list[tuple[Record, str]]:
        """What says the same as a picture's claim because it was made from it, and how to call it."""
        copies = self._copies[claim.image_id, claim.attribute]
        return [
            *((text, "the text form of") for text in self._texts[key_of(claim)]),
            *((copy, "in a copy of the picture of") for copy in copies if copy.image_id != claim.image_id),
        ]

    def why_not(self, pair: Pair, other: Record) -> str:
        """Why something doesn't follow its claim; empty if it does."""
        if pair.differs("attribute"):
            return f"it is still about {pair.before.attribute}; change its attribute and question, too"
        if not pair.claims_otherwise:
            return ""
        if pair.after.value is None:
            return "the claim has no value any more"
        if other.modality == "multimodal":
            if pair.differs("veracity"):
                return f"what is tested is no {pair.after.veracity}"
            same = same_answer(other, pair.before, self._taxonomy)
            return "" if same or same_answer(other, pair.after, self._taxonomy) else "it says something else already"
        shown = self._shown[key_of(pair.after)]
        candidates = [record for record in shown if record.split in TEXT_SPLITS] or shown
        sure = [record for record in candidates if record.suspect is None] or candidates
        if not all(same_answer(pair.after, record, self._taxonomy) for record in sure):
            return "other pictures of its subject say otherwise"
        return ""

    def text_form(self, pair: Pair, text: Record) -> Record:
        """A text form that says what its claim says now."""
        claim, attribute = pair.after, self._taxonomy[text.attribute or ""]
        rumor = claim.veracity == "rumor"
        channel = "both" if claim.rumor_channel in VISUAL_CHANNELS else "text"
        changes: dict[str, Any] = {}
        if pair.differs("veracity", "rumor_channel"):
            changes |= {"veracity": claim.veracity, "rumor_channel": channel if rumor else "none"}
        if pair.claims_otherwise and claim.value is not None:
            same = text.value is not None and same_value(text.value, claim.value, attribute)
            if not same or text.veracity != claim.veracity:
                said = phrasings.value_text(claim.value, attribute)
                changes["value"] = dataclasses.replace(claim.value, text=said)
                changes["answer"] = phrasings.answer(attribute, said, rumor=rumor).text
        if pair.differs("sources") and text.sources == pair.before.sources:
            changes["sources"] = claim.sources
        if pair.differs("split") and claim.scope == "private":
            changes["split"] = claim.split
        if pair.differs("corrects"):
            target = self._by_id.get(claim.corrects or "")
            forms = self._texts[key_of(target)] if target is not None else ()
            changes["corrects"] = forms[0].record_id if forms else None
        return dataclasses.replace(text, **changes)

    def contradictions(self, pair: Pair) -> list[str]:
        """That a text record's pictures say otherwise: they don't follow it."""
        shown = self._shown[key_of(pair.after)] if pair.claims_otherwise else []
        other = next((r for r in shown if not same_answer(r, pair.after, self._taxonomy)), None)
        if other is None:
            return []
        return [f"{pair.after.record_id} says otherwise than {other.record_id}, whose text form it is"]


def _copied(pair: Pair, copy: Record) -> Record:
    """The record of a copied picture that says what the original's says now."""
    changes: dict[str, Any] = {}
    if pair.claims_otherwise:
        changes |= {"answer": pair.after.answer, "value": pair.after.value}
    if pair.differs("sources") and copy.sources == pair.before.sources:
        changes["sources"] = pair.after.sources
    return dataclasses.replace(copy, **changes)


# ---------------------------------------------------------------------------------------------
# What corrections correct


def may_correct(correction: Record, target: Record) -> bool:
    """Whether a correction's target is what it has to be: a rumour about the same."""
    about = (target.subject_id, target.attribute, target.veracity)
    return about == (correction.subject_id, correction.attribute, "rumor")


def lost_links(changed: Mapping[str, Pair], around: Iterable[Record]) -> dict[str, tuple[Pair, str]]:
    """Corrections whose target is no rumour about the same any more: they correct nothing; by id, with the target's.

    Args:
        changed: The records that change, by id, those that follow included.
        around: All other records about the same subjects and attributes.
    """
    pairs = {record.record_id: Pair(record, record) for record in around} | dict(changed)
    lost = {}
    for name, pair in pairs.items():
        target = pairs.get(pair.after.corrects or "")
        if target is None or may_correct(pair.after, target.after):
            continue
        if pair.differs("corrects") or may_correct(pair.before, target.before):  # Else it was so before.
            new = Pair(pair.before, dataclasses.replace(pair.after, corrects=None))
            lost[name] = new, target.after.record_id
    return lost


def facts_that_change(
    changed: Mapping[str, Pair], around: Iterable[Record], subjects: Iterable[Row], taxonomy: Taxonomy
) -> list[tuple[Row, Row]]:
    """Rows of the subjects table, before and after, whose shared facts the records now agree to be others."""
    told: dict[tuple[str | None, str | None], list[Record]] = defaultdict(list)
    for record in [*(pair.after for pair in changed.values()), *around]:
        if record.scope == "shared" and record.value is not None and record.value.kind != "text":
            told[record.subject_id, record.attribute].append(record)
    new: dict[str | None, dict[str | None, ClaimValue]] = defaultdict(dict)
    for pair in changed.values():
        group = told[pair.after.subject_id, pair.after.attribute]
        if pair.differs("value") and group and all(same_answer(pair.after, other, taxonomy) for other in group):
            assert pair.after.value is not None
            new[pair.after.subject_id][pair.after.attribute] = pair.after.value
    found = []
    for row in subjects:
        values = new.get(row["subject_id"], {})
        facts = [
            {**fact, "text": values[fact["attribute"]].text} if fact["attribute"] in values else fact
            for fact in row["facts"] or ()
        ]
        if facts != (row["facts"] or []):
            found.append((row, {**row, "facts": facts}))
    return found


# ---------------------------------------------------------------------------------------------
# Forms


def stale_forms(pair: Pair, taxonomy: Taxonomy) -> tuple[str, ...]:
    """The forms that no longer fit a changed record."""
    asks_otherwise = pair.differs("question", "attribute")
    fields = _OF_ANSWER if pair.claims_otherwise else ()
    if asks_otherwise and pair.after.attribute is not None and taxonomy[pair.after.attribute].kind == "text":
        fields = _OF_ANSWER  # What could stand in the answer to a free question depends on the question.
    return (*fields, "question_paraphrases") if asks_otherwise else fields


def without_forms(record: Record, fields: Iterable[str]) -> Record:
    """A record without some of its forms; options that still hold the answer stay where nobody can make new ones."""
    empty: dict[str, Any] = {name: None if name == "cloze" else () for name in fields}
    if "choices" in empty:
        empty["correct_choice"] = None
        if record.attribute is None and record.answer in record.choices:
            empty |= {"choices": record.choices, "correct_choice": record.choices.index(record.answer)}
    return dataclasses.replace(record, **empty)


def with_forms(record: Record, fields: Iterable[str], forms: Forms) -> Record:
    """A record with these forms made anew, as far as they can be made."""
    fields = list(fields)
    bare = without_forms(record, fields)
    made = forms.fill(bare, anew=False)
    if "choices" in fields:
        fields.append("correct_choice")
    return dataclasses.replace(bare, **{name: getattr(made, name) for name in fields})


def wrongly_wrong(record: Record, new: Sequence[tuple[str, ClaimValue]], taxonomy: Taxonomy) -> bool:
    """Whether a wrong answer of a record states a value that is true of its subject now.

    Args:
        record: It.
        new: The values that changed records give to its subject, each with its attribute.
        taxonomy: The taxonomy.
    """
    if record.value is None or record.attribute in (None, UNTAGGED.name):
        return False
    attribute = taxonomy[record.attribute or ""]
    wrong = [text for place, text in enumerate(record.choices) if place != record.correct_choice]
    wrong += record.perturbed_answers
    return any(
        answer_states(text, value, attribute)
        for name, value in new
        if value_group(taxonomy[name]) == value_group(attribute) and not same_value(value, record.value, attribute)
        for text in wrong
    )
