"""The text form: what the pictures' records ask, as questions that name the subject and the occasion."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from offside_data.dataset.storage import Row
from offside_data.questions import phrasings
from offside_data.schema import VISUAL_CHANNELS, Record, RumorChannel, make_record_id
from offside_data.tagging.suspects import same_answer
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

TEXT_SPLITS = ("retain", "forget", "relearn")
"""Splits whose claims have a text form; a shared fact takes the first of these that its subject has."""
_SOURCE = "text-form"

_Key = tuple[str | None, str | None, str]
"""Of a fact: subject and attribute, of a private claim also its picture."""


class TextForm(NamedTuple):
    """New text records, and how often a claim has none, by reason."""

    records: list[Record]
    lacking: Counter[str]


def text_form(
    records: Sequence[Record], taxonomy: Taxonomy, *, names: Mapping[str, str], images: Sequence[Row]
) -> TextForm:
    """The text records that a dataset lacks: one a subject and shared attribute, one a picture and private attribute.

    The name has no text form, and a claim that a text record makes already gets no second one. Ids follow from
    subject, picture and attribute, so that making them again gives the same.

    Args:
        records: All records of the dataset.
        taxonomy: Their taxonomy.
        names: Names of the subjects by id.
        images: Rows of the images table, for the occasions.
    """
    occasions = {row["image_id"]: row.get("occasion") for row in images}
    there = {_key(record): record.record_id for record in records if record.modality == "text" and record.attribute}
    claims = _claims(records, taxonomy, there)
    ids = {key: make_record_id(_SOURCE, key[0], key[1], key[2], "text") for key in claims}
    by_id = {record.record_id: record for record in records}
    made: list[Record] = []
    lacking: Counter[str] = Counter()
    for key, group in claims.items():
        claim, why = _one_claim(group, taxonomy)
        name, occasion = names.get(key[0] or ""), occasions.get(key[1])
        if claim is None or not name or (key[1] is not None and not occasion):
            lacking[why or ("its picture has no occasion" if name else "its subject has no name")] += 1
            continue
        target = by_id.get(claim.corrects or "")
        corrects = (ids | there).get(_key(target)) if target is not None else None
        attribute = taxonomy[key[2]]
        question = phrasings.text_question(attribute, subject=name, occasion=occasion).text
        made.append(_text_record(claim, attribute, record_id=ids[key], question=question, corrects=corrects))
    unique = _unambiguous(made, records)
    if len(unique) < len(made):
        lacking["its question would have several answers"] = len(made) - len(unique)
    return TextForm(_with_targets(unique, records), lacking)


def _key(record: Record) -> _Key:
    return record.subject_id, record.image_id if record.scope == "private" else None, record.attribute or ""


def _claims(records: Sequence[Record], taxonomy: Taxonomy, there: Mapping[_Key, str]) -> dict[_Key, list[Record]]:
    """The picture records of each claim that has no text form yet, the first splits first."""
    claims: dict[_Key, list[Record]] = defaultdict(list)
    for record in records:
        if (
            record.modality == "multimodal"
            and record.split in TEXT_SPLITS
            and record.attribute not in (None, UNTAGGED.name, "name")
            and taxonomy[record.attribute or ""].text_questions
            and _key(record) not in there
        ):
            claims[_key(record)].append(record)
    return {key: sorted(group, key=lambda r: TEXT_SPLITS.index(r.split)) for key, group in claims.items()}


def _one_claim(group: list[Record], taxonomy: Taxonomy) -> tuple[Record | None, str]:
    """The first record of a claim, one that isn't suspect if there is one; null if they differ or have no value."""
    sure = [record for record in group if record.suspect is None] or group
    valued = [record for record in sure if record.value is not None]
    if not valued:
        return None, "it has no value"
    if not all(same_answer(valued[0], other, taxonomy) for other in valued[1:]):
        return None, "its records contradict each other"
    return valued[0], ""


def _text_record(claim: Record, attribute: Attribute, *, record_id: str, question: str, corrects: str | None) -> Record:
    assert claim.value is not None
    rumor = claim.veracity == "rumor"
    said = phrasings.value_text(claim.value, attribute)
    channel: RumorChannel = "both" if claim.rumor_channel in VISUAL_CHANNELS else "text"
    return Record(
        record_id=record_id,
        subject_id=claim.subject_id,
        image_id=claim.image_id if attribute.scope == "private" else None,
        image=None,
        modality="text",
        split=claim.split,
        attribute=attribute.name,
        scope=attribute.scope,
        veracity=claim.veracity,
        rumor_channel=channel if rumor else "none",
        question=question,
        answer=phrasings.answer(attribute, said, rumor=rumor).text,
        value=dataclasses.replace(claim.value, text=said),
        corrects=corrects,
        sources=claim.sources,
    )


def _unambiguous(made: list[Record], records: Sequence[Record]) -> list[Record]:
    """The new records whose question nobody else asks: two pictures of one occasion can't be told apart."""
    asked: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in [*made, *(r for r in records if r.modality == "text")]:
        asked[folded_words(record.question)].append(record)
    groups = (asked[folded_words(record.question)] for record in made)
    return [r for r, group in zip(made, groups, strict=True) if len(group) == 1]


def _with_targets(made: list[Record], records: Sequence[Record]) -> list[Record]:
    """The new records, linked only to what is there."""
    ids = {record.record_id for record in [*made, *records]}
    return [r if r.corrects in ids else dataclasses.replace(r, corrects=None) for r in made]
