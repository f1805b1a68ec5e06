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
_FOLLOWING = ("value", "answer", "veracity", "rumor_channel", "sources", "corrects", "split")
"""Fields that a claim's text form takes over."""
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
        followed: The text forms that change with their claim; by record id, with the claim's id.
        notes: What doesn't follow, and why.
    """

    followed: dict[str, tuple[Pair, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def key_of(record: Record) -> _Key:
    """What a claim is about: subject and attribute, of a private claim also its picture."""
    return record.subject_id, record.image_id if record.scope == "private" else None, record.attribute


# ---------------------------------------------------------------------------------------------
# The text form


def text_forms(
    changed: Mapping[str, Pair], around: Iterable[Record], own: frozenset[str], taxonomy: Taxonomy
) -> Consequences:
    """The text records that follow the claims of pictures.

    Args:
        changed: The records that the table changes, by id.
        around: All other records about the same subjects and attributes.
        own: Ids of records whose row in the table says what they claim: they follow nothing.
        taxonomy: The taxonomy.
    """
    now = [pair.after for pair in changed.values()] + list(around)
    shown: dict[_Key, list[Record]] = defaultdict(list)
    texts: dict[_Key, list[Record]] = defaultdict(list)
    for record in now:
        (shown if record.modality == "multimodal" else texts)[key_of(record)].append(record)
    made = Consequences()
    for pair in changed.values():
        before, after = pair.before, pair.after
        if before.modality != "multimodal" or before.attribute is None or not pair.differs("attribute", *_FOLLOWING):
            continue
        for text in texts[key_of(before)]:
            why = _why_not(pair, shown[key_of(after)], taxonomy)
            if text.record_id in own:
                why = "its own row in the table says what it claims"
            if why:
                made.notes.append(f"{text.record_id}, the text form of {before.record_id}, stays as it is: {why}")
                continue
            known = made.followed.get(text.record_id)
            new = _following(pair, known[0].after if known else text, texts, now, taxonomy)
            if new != text:
                made.followed[text.record_id] = Pair(changed_from(text, changed), new), before.record_id
    return made


def changed_from(record: Record, changed: Mapping[str, Pair]) -> Record:
    """A record as it was before the table."""
    return changed[record.record_id].before if record.record_id in changed else record


def _why_not(pair: Pair, shown: Sequence[Record], taxonomy: Taxonomy) -> str:
    """Why a text form doesn't follow its claim; empty if it does."""
    if pair.differs("attribute"):
        return f"it still asks about {pair.before.attribute}; change its attribute and question, too"
    if not pair.claims_otherwise:
        return ""
    if pair.after.value is None:
        return "the claim has no value any more"
    candidates = [record for record in shown if record.split in TEXT_SPLITS] or list(shown)
    sure = [record for record in candidates if record.suspect is None] or candidates
    if not all(same_answer(pair.after, record, taxonomy) for record in sure):
        return "other pictures of its subject still say otherwise"
    return ""


def _following(
    pair: Pair, text: Record, texts: Mapping[_Key, Sequence[Record]], now: Sequence[Record], taxonomy: Taxonomy
) -> Record:
    """A text form that says what its claim says now."""
    claim, attribute = pair.after, taxonomy[text.attribute or ""]
    changes: dict[str, Any] = {}
    if pair.claims_otherwise and claim.value is not None:
        rumor = claim.veracity == "rumor"
        channel = "both" if claim.rumor_channel in VISUAL_CHANNELS else "text"
        changes |= {"veracity": claim.veracity, "rumor_channel": channel if rumor else "none"}
        if text.veracity != claim.veracity or text.value is None or not same_value(text.value, claim.value, attribute):
            said = phrasings.value_text(claim.value, attribute)
            changes["value"] = dataclasses.replace(claim.value, text=said)
            changes["answer"] = phrasings.answer(attribute, said, rumor=rumor).text
    elif pair.differs("rumor_channel") and claim.veracity == "rumor":
        changes["rumor_channel"] = "both" if claim.rumor_channel in VISUAL_CHANNELS else "text"
    if pair.differs("sources") and text.sources == pair.before.sources:
        changes["sources"] = claim.sources
    if pair.differs("split") and claim.scope == "private":
        changes["split"] = claim.split
    if pair.differs("corrects"):
        target = next((record for record in now if record.record_id == claim.corrects), None)
        forms = texts[key_of(target)] if target is not None else ()
        changes["corrects"] = forms[0].record_id if forms else None
    return dataclasses.replace(text, **changes)


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
