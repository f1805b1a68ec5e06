"""What a row of a table makes of its record: cells become typed fields, and fields that must agree do.

What a row asks for depends on its cells and not on what the record was, so a table that was applied once asks for
nothing any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from offside_data.adapters._tables.cells import (
    CHANNEL_WORDS,
    SPLIT_WORDS,
    TIER_WORDS,
    VERACITY_WORDS,
    could_be_two_dates,
    in_words,
    read_date,
    word_of,
)
from offside_data.adapters._tables.columns import attribute_word
from offside_data.adapters._tables.rows import DEFAULT_TIER
from offside_data.editing.columns import SOURCE, texts_of
from offside_data.editing.table import Edit
from offside_data.questions import phrasings
from offside_data.schema import SUBJECTLESS_SPLITS, ClaimValue, Record, Source, Split, Tier, Veracity
from offside_data.splits._base import HOMES
from offside_data.tagging.suspects import with_reasons
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import answer_may_say, parse_value, same_value, why_unparsed
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

_REQUIRED = ("question", "answer", "attribute", "veracity", "rumor_channel", "split")
_VERBATIM = ("question", "cloze", "corrects", "suspect", "agreed_value")
_WORDS = {"veracity": VERACITY_WORDS, "rumor_channel": CHANNEL_WORDS, "split": SPLIT_WORDS, "tier": TIER_WORDS}
_TYPED = ("date", "amount", "length", "count")
"""Kinds whose values are more than their text: `2019-07-01` and `July 1, 2019` are one."""


def edited(edit: Edit, record: Record, taxonomy: Taxonomy) -> Record:
    """A record as a row of a table wants it.

    Args:
        edit: The row.
        record: The record as it is.
        taxonomy: Its taxonomy.

    Raises:
        ValueError: If a cell isn't understood, a field can't be changed, or two cells disagree; says what is allowed.
    """
    told = {column: _meant(column, edit, taxonomy) for column in edit.cells}
    now = texts_of(record)
    changed = {column for column, text in told.items() if text != now[column]}
    for column in ("subject_id", "image_id", "modality"):
        if column in changed:
            raise ValueError(f"{column} is {now[column]!r} and can't be changed; leave the cell empty")
    if record.split in SUBJECTLESS_SPLITS and told.get("attribute"):
        raise ValueError(f"a record of the split {record.split} is about nobody and has no attribute")
    after = _with_attribute(record, told, changed, taxonomy)
    if told.get("scope") not in (None, after.scope or ""):
        raise ValueError(f"scope is {told['scope']!r}, but the attribute {after.attribute!r} is {after.scope}")
    after = _with_veracity(after, told, changed)
    after = _with_claim(after, told, changed, record, taxonomy)
    after = _with_split(after, told, record)
    after = dataclasses.replace(after, sources=_sources(record, told, changed))
    now = texts_of(after)
    said = {column: told[column] or None for column in _VERBATIM if told.get(column, now[column]) != now[column]}
    return dataclasses.replace(after, **cast(Any, said))


def _meant(column: str, edit: Edit, taxonomy: Taxonomy) -> str:
    """What a cell says, in our words; empty if it empties its field.

    Raises:
        ValueError: If it isn't understood.
    """
    text = edit.told(column) or ""
    if not text:
        if column in _REQUIRED:
            raise ValueError(f"{column} can't be emptied")
        return text
    if column == "attribute":
        return attribute_word(text, taxonomy.names()) or ""
    if column in _WORDS:
        return word_of(text, column.replace("_", " "), _WORDS[column]) or ""
    if column == "retrieved_on":
        day = read_date(text)
        if day is None:
            raise ValueError(f"retrieved_on is {text!r}; write YYYY-MM-DD")
        return day.isoformat()
    if column == "cloze" and text.count(phrasings.BLANK) != 1:
        raise ValueError(f"the cloze {text!r} must hold one blank, {phrasings.BLANK!r}")
    return text


def _with_attribute(record: Record, told: Mapping[str, str], changed: set[str], taxonomy: Taxonomy) -> Record:
    """The record with its attribute and scope; a question in the words of the old attribute gets those of the new."""
    if "attribute" not in changed:
        return record
    attribute, before = taxonomy[told["attribute"]], taxonomy[record.attribute or ""]
    question = record.question
    if record.modality == "multimodal" and folded_words(question) in map(folded_words, before.questions):
        question = phrasings.picture_question(attribute).text
    decided = attribute.name != UNTAGGED.name
    return dataclasses.replace(
        record,
        attribute=attribute.name,
        scope=attribute.scope,
        question=question,
        # A shared fact as text is about no picture.
        image_id=None if (record.modality, attribute.scope) == ("text", "shared") else record.image_id,
        suspect=with_reasons(record.suspect, ("attribute",), []) if decided else record.suspect,
    )


def _with_veracity(record: Record, told: Mapping[str, str], changed: set[str]) -> Record:
    """The record with veracity and rumor channel; a channel that the row leaves open follows."""
    veracity = cast(Veracity, told.get("veracity", record.veracity))
    channel = told.get("rumor_channel")
    if channel is None:
        channel = "none" if veracity != "rumor" else record.rumor_channel
        channel = "text" if "veracity" in changed and veracity == "rumor" and channel == "none" else channel
    if channel != "none" and veracity != "rumor":
        raise ValueError(
            f"the rumor channel is {channel!r}, but only rumors have one, and this is a {veracity}; leave it empty"
        )
    return dataclasses.replace(
        record,
        veracity=veracity,
        rumor_channel=cast(Any, channel),
        corrects=record.corrects if veracity == "correction" else None,
        suspect=with_reasons(record.suspect, ("veracity",), []) if "veracity" in changed else record.suspect,
    )


def _with_split(record: Record, told: Mapping[str, str], before: Record) -> Record:
    split = cast(Split, told.get("split", record.split))
    if split == before.split and record.veracity == before.veracity:
        return record
    if split != before.split and (split in SUBJECTLESS_SPLITS) + (before.split in SUBJECTLESS_SPLITS):
        raise ValueError(
            f"it is in {before.split} and can't move to {split}: records of {' and '.join(SUBJECTLESS_SPLITS)} are "
            "about nobody, all others about a subject"
        )
    if split not in HOMES.get(record.veracity, ()) and split not in SUBJECTLESS_SPLITS:
        homes = " or ".join(HOMES.get(record.veracity, ("no split",)))
        raise ValueError(
            f"a {record.veracity} belongs in {homes}, not in {split}; give the split of all records of its picture, "
            "too, or move the picture with `split --policy file`"
        )
    # Only a correction in relearn corrects something.
    corrects = record.corrects if split == "relearn" else None
    return dataclasses.replace(record, split=split, corrects=corrects)


# ---------------------------------------------------------------------------------------------
# Value and answer


def _with_claim(
    record: Record, told: Mapping[str, str], changed: set[str], before: Record, taxonomy: Taxonomy
) -> Record:
    """The record with a value and an answer that states it.

    Raises:
        ValueError: If one isn't readable, or they disagree.
    """
    if not {"attribute", "answer", "value"} & changed:
        return record
    answer, text = told.get("answer"), told.get("value")
    if text == "" or record.attribute in (None, UNTAGGED.name):
        if text:
            raise ValueError(f"value is {text!r}, but the record has no attribute that says how to read it")
        return dataclasses.replace(record, value=None, answer=answer or record.answer)
    attribute = taxonomy[record.attribute or ""]
    if text is not None:
        said = stated(text, attribute, rumor=record.veracity == "rumor")
        if answer is None:
            if before.value is not None and "attribute" not in changed and _is_same(before.value, said[1]):
                return record
            return dataclasses.replace(record, answer=said[0], value=said[1])
        if not answer_may_say(answer, said[1], attribute):
            raise ValueError(
                f"the answer {answer!r} doesn't state the value {text!r}; write both, or leave one of the cells empty"
            )
        parsed = parse_value(answer, attribute)
        value = parsed if parsed is not None and same_value(parsed, said[1], attribute) else said[1]
        return dataclasses.replace(record, answer=answer, value=value)
    read = parse_value(answer or record.answer, attribute)
    if read is None and before.value is not None:
        why = why_unparsed(answer or record.answer, attribute)
        raise ValueError(f"{why}; write the value, too, or (clear) for none")
    return dataclasses.replace(record, answer=answer or record.answer, value=read)


def stated(text: str, attribute: Attribute, *, rumor: bool) -> tuple[str, ClaimValue]:
    """The canonical answer that states a value, and the value.

    Raises:
        ValueError: If no such value is readable.
    """
    if attribute.kind == "date" and could_be_two_dates(text):
        raise ValueError(f"value is {text!r}, which could be two dates; write YYYY-MM-DD")
    said = in_words(text, attribute)
    value = parse_value(_worded(said, attribute, rumor=rumor), attribute)
    if value is None:
        allowed = f"; allowed: {', '.join(option[0] for option in attribute.options)}" if attribute.options else ""
        raise ValueError(f"value is {text!r}, which is no {attribute.kind} that can be read{allowed}")
    answer = _worded(phrasings.value_text(value, attribute), attribute, rumor=rumor)
    return answer, parse_value(answer, attribute) or value


def _worded(text: str, attribute: Attribute, *, rumor: bool) -> str:
    answer = phrasings.answer(attribute, text, rumor=rumor).text
    return answer[:-1] if answer.endswith("..") else answer


def _is_same(a: ClaimValue, b: ClaimValue) -> bool:
    """Whether two values are one in other words: a spreadsheet writes dates and numbers in its own way."""
    if a.kind in _TYPED:
        return dataclasses.replace(a, text="") == dataclasses.replace(b, text="")
    return a == b


# ---------------------------------------------------------------------------------------------
# Sources


def _sources(record: Record, told: Mapping[str, str], changed: set[str]) -> tuple[Source, ...]:
    """The sources of a record, the first one as the row says; without a tier it goes."""
    if not changed & set(SOURCE):
        return record.sources
    others = record.sources[1:]
    if told.get("tier") == "":
        return others
    first = record.sources[0] if record.sources else Source(tier=DEFAULT_TIER)
    said = {column: told[column] or None for column in SOURCE if column in told and column != "tier"}
    source = dataclasses.replace(first, tier=cast(Tier, told.get("tier", first.tier)), **said)
    return (source, *others)
