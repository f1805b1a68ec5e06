"""Records that contradict each other: flagged for a curator, never dropped."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from offside_data.schema import ClaimValue, Record
from offside_data.tagging.values import same_value
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy


def add_suspect(record: Record, why: str) -> Record:
    """The record with one more reason to look at it again."""
    if record.suspect is not None and why in record.suspect.split("; "):
        return record
    return dataclasses.replace(record, suspect=why if record.suspect is None else f"{record.suspect}; {why}")


def reasons_of(record: Record) -> list[str]:
    """Why a curator should look at a record again, one by one."""
    return record.suspect.split("; ") if record.suspect else []


def with_reasons(record: Record, topics: tuple[str, ...], reasons: Sequence[str]) -> Record:
    """The record with exactly these reasons of some topics (`fee: …`) and all others that it has already."""
    kept = [reason for reason in reasons_of(record) if not reason.startswith(tuple(f"{topic}: " for topic in topics))]
    return dataclasses.replace(record, suspect="; ".join([*kept, *(r.replace("; ", ", ") for r in reasons)]) or None)


def flag_contradictions(records: Sequence[Record], taxonomy: Taxonomy) -> list[Record]:
    """The same records, those flagged that contradict others.

    A shared fact holds for its subject everywhere, so a value that most other records of the subject don't
    have is suspect (without a majority, all are). Values of kind `text` are left out: two sentences of different
    words about one subject needn't contradict each other. A question must have one answer, for its picture if it
    has one, so all records of a question that has several are suspect, whatever the kind.
    """
    flagged = list(records)
    facts: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    questions: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for i, record in enumerate(records):
        comparable = record.value is not None and record.value.kind != "text"
        if record.scope == "shared" and record.attribute is not None and comparable:
            facts[record.subject_id, record.attribute].append(i)
        about = record.image_id if record.modality == "multimodal" else None
        questions[record.modality, about, *folded_words(record.question)].append(i)
    for (_, name), places in facts.items():
        for i, why in _against_the_majority([records[i] for i in places], taxonomy[name]):
            flagged[places[i]] = add_suspect(flagged[places[i]], why)
    for places in questions.values():
        answers = [records[i] for i in places]
        if _different_answers(answers, taxonomy):
            said = " / ".join(dict.fromkeys(repr(record.answer) for record in answers))
            for i in places:
                if flagged[i].suspect is None:
                    flagged[i] = add_suspect(flagged[i], f"the same question has different answers: {said}")
    return flagged


def _against_the_majority(records: list[Record], attribute: Attribute) -> list[tuple[int, str]]:
    clusters: list[list[int]] = []
    values = [record.value for record in records if record.value is not None]
    for i, value in enumerate(values):
        home = next((c for c in clusters if same_value(values[c[0]], value, attribute)), None)
        if home is None:
            clusters.append([i])
        else:
            home.append(i)
    if len(clusters) < 2:
        return []
    clusters.sort(key=len, reverse=True)
    tied = len(clusters[0]) == len(clusters[1])
    found = []
    for cluster in clusters if tied else clusters[1:]:
        others = [c for c in clusters if c is not cluster]
        said = ", ".join(f"{values[c[0]].text!r} ({len(c)})" for c in others)
        found += [
            (i, f"{attribute.name} is {values[i].text!r} here, but elsewhere for this subject {said}") for i in cluster
        ]
    return found


def _different_answers(records: list[Record], taxonomy: Taxonomy) -> bool:
    first = records[0]
    return any(not same_answer(first, other, taxonomy) for other in records[1:])


def same_answer(a: Record, b: Record, taxonomy: Taxonomy) -> bool:
    """Whether two records give the same answer: in the same words, or the same value of the same attribute."""
    if folded_words(a.answer) == folded_words(b.answer):
        return True
    values: tuple[ClaimValue | None, ClaimValue | None] = (a.value, b.value)
    if a.attribute is None or a.attribute != b.attribute or values[0] is None or values[1] is None:
        return False
    return same_value(values[0], values[1], taxonomy[a.attribute])
