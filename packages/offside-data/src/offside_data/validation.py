"""Whether one record keeps to the data model; `offside_data.check` looks at records side by side."""

from __future__ import annotations

import datetime
import math
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from offside_data.errors import RecordError
from offside_data.schema import (
    SUBJECTLESS_SPLITS,
    Modality,
    Record,
    RumorChannel,
    Scope,
    Split,
    Tier,
    ValueKind,
    Veracity,
)
from offside_data.taxonomy import Taxonomy

IMAGE_TOKEN = "<image>"

_WORDS = {
    "modality": Modality,
    "split": Split,
    "scope": Scope,
    "veracity": Veracity,
    "rumor_channel": RumorChannel,
}
_REQUIRED = ("record_id", "modality", "split", "veracity", "rumor_channel", "question", "answer")
_LISTS = (
    "question_paraphrases",
    "answer_paraphrases",
    "perturbed_answers",
    "choices",
    "sources",
    "annotations",
)
_TEXT_LISTS = _LISTS[:4]


def validate_record(record: Record, taxonomy: Taxonomy) -> None:
    """Check one record by itself. A picture that isn't there (`--without-images`) is no error here.

    Raises:
        RecordError: Naming the record, everything that is wrong with it and what is allowed.
    """
    problems = list(_problems(record, taxonomy))
    if problems:
        raise RecordError(f"record {record.record_id}: {' '.join(problems)}")


def row_problems(row: Mapping[str, Any], taxonomy: Taxonomy) -> list[str]:
    """Everything that is wrong with a record as it lies in a file, where any field may be null."""
    nulls = [field for field in (*_REQUIRED, *_LISTS) if row[field] is None]
    nulls += [f"{field} (an item)" for field in _LISTS if row[field] and None in row[field]]
    nulls += [f"value.{key}" for key in ("kind", "text") if row["value"] and row["value"][key] is None]
    if nulls:
        return [f"{', '.join(nulls)} may not be null."]
    return list(_problems(Record.from_row(row), taxonomy))


def _problems(record: Record, taxonomy: Taxonomy) -> Iterator[str]:
    if not record.record_id.strip():
        yield "it has no record_id; see schema.make_record_id."
    yield from _word_problems(record)
    yield from _text_problems(record)
    yield from _subject_problems(record, taxonomy)
    yield from _value_problems(record)
    yield from _choice_problems(record)
    if record.modality == "text" and record.image is not None:
        yield "a text record has no picture (it keeps image_id); drop the image or make it multimodal."
    if record.modality == "multimodal" and record.image_id is None:
        yield "a multimodal record needs the image_id of its picture."
    if record.rumor_channel != "none" and record.veracity != "rumor":
        yield f"rumor_channel is {record.rumor_channel!r}, but only rumors have one, not a {record.veracity}."
    role = (record.split, record.scope, record.veracity)
    if record.corrects is not None and role != ("relearn", "private", "correction"):
        yield "corrects is for private corrections of the relearn split only."


def _word_problems(record: Record) -> Iterator[str]:
    words = [(field, getattr(record, field), hint) for field, hint in _WORDS.items()]
    words += [("sources.tier", source.tier, Tier) for source in record.sources]
    if record.value is not None:
        words.append(("value.kind", record.value.kind, ValueKind))
    for field, word, hint in words:
        allowed = typing.get_args(hint)
        if word not in allowed and not (field == "scope" and word is None):
            yield f"{field} is {word!r}; allowed: {', '.join(allowed)}."


def _text_problems(record: Record) -> Iterator[str]:
    for field in ("question", "answer"):
        if not getattr(record, field).strip():
            yield f"{field} is empty; every record needs a question and an answer."
    texts = [("question", record.question), ("answer", record.answer), ("cloze", record.cloze or "")]
    for field in _TEXT_LISTS:
        texts += [(field, text) for text in getattr(record, field)]
        if not all(text.strip() for text in getattr(record, field)):
            yield f"{field} holds an empty text."
    for field, text in texts:
        if IMAGE_TOKEN in text:
            yield f"{field} holds a literal {IMAGE_TOKEN}, which is for chat templates to add: {text!r}."
        if text.strip() and text != " ".join(text.split()):
            yield f"{field} has stray blanks or line breaks: {text!r}; keep the original in source_record."


def _subject_problems(record: Record, taxonomy: Taxonomy) -> Iterator[str]:
    fields = {field: getattr(record, field) for field in ("subject_id", "attribute", "scope")}
    if record.split in SUBJECTLESS_SPLITS:
        given = [field for field, value in fields.items() if value is not None]
        if given:
            yield f"split {record.split!r} has nothing to do with a subject: {', '.join(given)} must be null."
        return
    missing = [field for field, value in fields.items() if value is None]
    if missing:
        yield f"{', '.join(missing)} may be null only in the splits {', '.join(SUBJECTLESS_SPLITS)}."
    if record.attribute is None:
        return
    if record.attribute not in taxonomy:
        yield (
            f"attribute {record.attribute!r} isn't in the taxonomy {taxonomy.name!r}, which has "
            f"{', '.join(taxonomy.names())}. Add it to taxonomy.yaml or correct the record."
        )
        return
    attribute = taxonomy[record.attribute]
    if record.scope not in (None, attribute.scope):
        yield f"scope is {record.scope!r}, but the taxonomy says {record.attribute!r} is {attribute.scope!r}."
    if record.value is not None and record.value.kind != attribute.kind:
        yield f"value.kind is {record.value.kind!r}, but {record.attribute!r} is a {attribute.kind!r}."


def _value_problems(record: Record) -> Iterator[str]:
    value = record.value
    if value is None:
        return
    if value.number is not None and not math.isfinite(value.number):
        yield f"value.number is {value.number}; it must be finite or null."
    if value.date is not None:
        try:
            datetime.date.fromisoformat(value.date)
        except ValueError:
            yield f"value.date is {value.date!r}; write YYYY-MM-DD."


def _choice_problems(record: Record) -> Iterator[str]:
    choices, correct = record.choices, record.correct_choice
    if (correct is None) != (not choices):
        yield "choices and correct_choice go together: give both or neither."
    elif correct is not None and not 0 <= correct < len(choices):
        yield f"correct_choice is {correct}, but there are {len(choices)} choices, counted from 0."
    if choices and (len(choices) < 2 or len({c.casefold() for c in choices}) < len(choices)):
        yield f"choices must be at least two different texts, got {list(choices)}."
    if record.answer.casefold() in {a.casefold() for a in record.perturbed_answers}:
        yield f"the true answer stands among perturbed_answers: {record.answer!r}."
