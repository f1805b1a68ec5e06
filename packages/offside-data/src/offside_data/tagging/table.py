"""The table of what is untagged or doubtful, with reasons: for a person to look at, or to be sent to annotation."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from offside_data.files import write_text
from offside_data.schema import Record, Source
from offside_data.tagging.suspects import reasons_of
from offside_data.tagging.tiers import Tiers, domain_of
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import answer_states, why_unparsed
from offside_data.taxonomy import Taxonomy

TOPICS = ("attribute", "veracity")
"""What `tag` writes into `suspect` begins with one of these and a colon; each run writes those reasons anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that a person should look at.

    Args:
        topic: `attribute`, `veracity`, `value`, `source`, or `record` for what an import found odd.
        reason: What is doubtful, in words.
        record_id: The record; of an unknown source, the first one that has it.
        subject_id: Of that record.
        image_id: Of that record.
        split: Of that record.
        modality: Of that record.
        attribute: Of that record.
        question: Of that record.
        answer: Of that record.
    """

    topic: str
    reason: str
    record_id: str
    subject_id: str | None
    image_id: str | None
    split: str
    modality: str
    attribute: str | None
    question: str
    answer: str

    def to_json(self) -> dict[str, str | None]:
        """The doubt as a plain mapping."""
        return dataclasses.asdict(self)


def list_doubts(records: Sequence[Record], taxonomy: Taxonomy, tiers: Tiers) -> Iterator[Doubt]:
    """Everything that is untagged or doubtful, record by record, then the sources whose tier isn't known."""
    for record in records:
        for reason in reasons_of(record):
            topic, colon, rest = reason.partition(": ")
            known = bool(colon) and topic in TOPICS
            yield _doubt(record, topic if known else "record", rest if known else reason)
        if record.attribute not in (None, UNTAGGED.name):
            attribute = taxonomy[record.attribute or ""]
            if record.value is None:
                yield _doubt(record, "value", why_unparsed(record.answer, attribute))
            elif not answer_states(record.answer, record.value, attribute):
                yield _doubt(record, "value", f"the answer doesn't state its value, {record.value.text!r}")
    yield from _unknown_sources(records, tiers)


def _unknown_sources(records: Sequence[Record], tiers: Tiers) -> Iterator[Doubt]:
    first: dict[tuple[str, str], Record] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for record in records:
        for source in record.sources:
            if source.tier != "fictional" and tiers.tier_of(source) is None:
                key = (_called(source), source.tier)
                first.setdefault(key, record)
                counts[key] += 1
    for (name, tier), record in first.items():
        count = counts[name, tier]
        yield _doubt(record, "source", f"{name} has no known tier; {tier} as given, {count} times")


def _called(source: Source) -> str:
    return domain_of(source) or source.publisher or "a source without address and publisher"


def _doubt(record: Record, topic: str, reason: str) -> Doubt:
    return Doubt(
        topic=topic,
        reason=reason,
        record_id=record.record_id,
        subject_id=record.subject_id,
        image_id=record.image_id,
        split=record.split,
        modality=record.modality,
        attribute=record.attribute,
        question=record.question,
        answer=record.answer,
    )


def write_table(path: Path, doubts: Sequence[Doubt]) -> None:
    """Write doubts as CSV with a header, whole or not at all."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Doubt)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(doubt.to_json() for doubt in doubts)
    write_text(path, stream.getvalue())
