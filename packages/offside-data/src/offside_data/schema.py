"""The data model: one record = one question about one subject, with or without a picture.

`Record` is what our code builds and reads; `columns_of` says how it lies in every Parquet file of
schema version 1. Field meanings: `docs/data-model.md`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SCHEMA_VERSION = 1

Modality = Literal["multimodal", "text"]
Split = Literal["retain", "forget", "test", "relearn", "holdout", "general", "utility"]
Scope = Literal["shared", "private"]
Veracity = Literal["fact", "rumor", "correction"]
RumorChannel = Literal["none", "text", "image", "both"]
ValueKind = Literal["date", "amount", "length", "count", "name", "place", "choice", "text"]
Tier = Literal["official", "media", "social", "fictional"]

SPLITS: tuple[str, ...] = typing.get_args(Split)
"""All splits, in the order in which they are listed anywhere."""
SUBJECTLESS_SPLITS = ("general", "utility")
"""Splits whose records have nothing to do with a subject: no subject, attribute or scope."""
CONFIGS: tuple[str, ...] = typing.get_args(Modality)
"""Record configs of a dataset; a record lies in the config named as its modality."""
RECORD_PARTS = tuple(f"{config}/{split}" for config in CONFIGS for split in SPLITS)
"""All parts that records can lie in, `CONFIG/SPLIT`."""
VISUAL_CHANNELS = ("image", "both")
"""Values of `rumor_channel` that make a record a *visual rumour*: the claim is readable in the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimValue:
    """A parsed answer.

    Args:
        kind: Decides how two values are compared.
        text: The value as written in the answer, e.g. `€35.00m`.
        number: Amount in units (35000000.0), length in metres, or count.
        unit: `m` for lengths, `loan` or `end of loan` for a move without a fee (its number is null; that of a
            free transfer is 0), null otherwise.
        currency: ISO 4217 code of an amount, null if none was given.
        date: ISO 8601 date.
    """

    kind: ValueKind
    text: str
    number: float | None = None
    unit: str | None = None
    currency: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """A record verbatim, as it came: file, position in that file, question and answer."""

    file: str
    index: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a claim was found; `retrieved_on` is an ISO date."""

    url: str | None = None
    publisher: str | None = None
    tier: Tier
    retrieved_on: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What one annotator (a pseudonym) said; `at` is an ISO timestamp."""

    annotator: str
    value: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """A picture's encoded bytes as curated, and the file name it is stored under."""

    bytes: bytes
    path: str


class RecordImage(Protocol):
    """A picture of a record: an `EncodedImage`, or one that is read when its bytes are asked for."""

    @property
    def bytes(self) -> bytes:
        """The encoded bytes as curated."""

    @property
    def path(self) -> str | None:
        """The file name it is stored under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One question about one subject. `validate_record` checks it against a taxonomy."""

    record_id: str
    subject_id: str | None
    image_id: str | None
    image: RecordImage | None
    modality: Modality
    split: Split
    attribute: str | None
    scope: Scope | None
    veracity: Veracity
    rumor_channel: RumorChannel = "none"
    question: str
    answer: str
    source_record: SourceRecord | None = None
    value: ClaimValue | None = None
    question_paraphrases: tuple[str, ...] = ()
    answer_paraphrases: tuple[str, ...] = ()
    perturbed_answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    correct_choice: int | None = None
    cloze: str | None = None
    corrects: str | None = None
    derived_from: str | None = None
    sources: tuple[Source, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    agreed_value: str | None = None
    suspect: str | None = None
    """Why a curator should look at this record again; null when nothing is odd about it."""

    def to_row(self) -> dict[str, Any]:
        """The record as a plain row; `content_hash` is filled in when it is written, `image` stays what it is."""
        row = {name: getattr(self, name) for name in _RECORD_FIELDS}
        for name in _NESTED:
            row[name] = plain_value(row[name])
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Record:
        """Rebuild a record from a row; its image is any `RecordImage`, or a mapping of bytes and path."""
        values = {name: row[name] for name in _RECORD_FIELDS}
        for name, nested in (("value", ClaimValue), ("source_record", SourceRecord), ("image", EncodedImage)):
            if values[name] is not None and isinstance(values[name], Mapping):
                values[name] = nested(**values[name])
        values["sources"] = tuple(Source(**s) for s in values["sources"]) if values["sources"] else ()
        values["annotations"] = tuple(Annotation(**a) for a in values["annotations"]) if values["annotations"] else ()
        for name in ("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices"):
            values[name] = tuple(values[name])
        return cls(**values)


_RECORD_FIELDS = tuple(field.name for field in dataclasses.fields(Record))
_NESTED = (
    *("source_record", "value", "sources", "annotations"),
    *("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices"),
)
"""Fields that aren't plain values."""


def plain_value(value: Any) -> Any:
    """A field of a record as plain values: a `ClaimValue`, `SourceRecord`, `Source` or `Annotation` as a mapping."""
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    return {name: getattr(value, name) for name in _names_of(value.__class__)}


@functools.cache
def _names_of(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


_as_json = json.JSONEncoder(ensure_ascii=False).encode  # One for all: to make one takes as long as to use it.


def make_record_id(
    dataset: str,
    subject_key: str | None,
    picture_key: str | None,
    attribute: str | None,
    modality: str,
    ordinal: int = 0,
) -> str:
    """A record's name for ever, from its *source key* alone.

    Questions, answers and pixels are no part of it, so that correcting them keeps the id.
    `ordinal` tells apart records that share everything else.
    """
    key = _as_json([dataset, subject_key, picture_key, attribute, modality, ordinal])
    return "r" + hashlib.sha256(key.encode()).hexdigest()[:20]


def make_image_id(dataset: str, picture_key: str) -> str:
    """A picture's name for ever, from its source key (e.g. its file name as it came)."""
    key = _as_json([dataset, picture_key])
    return "i" + hashlib.sha256(key.encode()).hexdigest()[:20]


Column: TypeAlias = "str | dict[str, Column] | list[Column]"
"""A column's type: `string`, `int64`, `float64` or `image`, a mapping for a struct, a list of one for a list."""

_RECORDS: dict[str, Column] = {
    "record_id": "string",
    "content_hash": "string",
    "subject_id": "string",
    "image_id": "string",
    "image": "image",
    "modality": "string",
    "split": "string",
    "attribute": "string",
    "scope": "string",
    "veracity": "string",
    "rumor_channel": "string",
    "question": "string",
    "answer": "string",
    "source_record": {"file": "string", "index": "int64", "question": "string", "answer": "string"},
    "value": {
        "kind": "string",
        "text": "string",
        "number": "float64",
        "unit": "string",
        "currency": "string",
        "date": "string",
    },
    "question_paraphrases": ["string"],
    "answer_paraphrases": ["string"],
    "perturbed_answers": ["string"],
    "choices": ["string"],
    "correct_choice": "int64",
    "cloze": "string",
    "corrects": "string",
    "derived_from": "string",
    "sources": [dict.fromkeys(("url", "publisher", "tier", "retrieved_on", "license"), "string")],
    "annotations": [dict.fromkeys(("annotator", "value", "at"), "string")],
    "agreed_value": "string",
    "suspect": "string",
}
_SUBJECTS: dict[str, Column] = {
    "subject_id": "string",
    "name": "string",
    "cohort": "string",  # "member" (some model may learn it) or "holdout" (none ever does)
    "facts": [{"attribute": "string", "text": "string"}],
    "license": "string",
    "source": "string",
}
# `image` is filled only for pictures that no record holds: the twins of visual rumours. A twin (`twin` = `blank` or
# `swapped`, `twin_of` = the picture) shows no text, or another value; `shown` lists the values readable in the pixels.
_IMAGES: dict[str, Column] = {
    "image_id": "string",
    "subject_id": "string",
    "split": "string",
    "occasion": "string",
    "image": "image",
    "sha256": "string",
    "pixels_sha256": "string",
    "phash": "string",
    "dhash": "string",
    "width": "int64",
    "height": "int64",
    "license": "string",
    "source": "string",
    "text_found": "string",
    "derived_from": "string",
    "twin_of": "string",
    "twin": "string",
    "shown": [{"attribute": "string", "text": "string"}],
}


def columns_of(config: str) -> dict[str, Column]:
    """The columns of a config's files: `multimodal` and `text` records, `subjects`, `images`."""
    return {"subjects": _SUBJECTS, "images": _IMAGES}.get(config, _RECORDS)


def features_of(config: str) -> datasets.Features:
    """The features of a config's files: `multimodal` and `text` records, `subjects`, `images`."""
    from datasets import Features, Image, List, Value

    def feature(column: Column) -> Any:
        if isinstance(column, dict):
            return {name: feature(part) for name, part in column.items()}
        if isinstance(column, list):
            return List(feature(column[0]))
        return Image() if column == "image" else Value(column)

    return Features({name: feature(column) for name, column in columns_of(config).items()})


def arrow_types(config: str) -> pa.Schema:
    """The Arrow schema of `features_of`, without metadata: `datasets`, which takes its time, isn't imported for it."""
    import pyarrow as pa

    def kind(column: Column) -> pa.DataType:
        if isinstance(column, dict):
            return pa.struct({name: kind(part) for name, part in column.items()})
        if isinstance(column, list):
            return pa.list_(kind(column[0]))
        return pa.struct({"bytes": pa.binary(), "path": pa.string()}) if column == "image" else getattr(pa, column)()

    return pa.schema({name: kind(column) for name, column in columns_of(config).items()})
