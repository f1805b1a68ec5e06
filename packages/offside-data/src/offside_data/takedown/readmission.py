"""Keep those out who were taken down: an import that replaces a dataset may not bring them back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from offside_data.adapters._base import Imported
from offside_data.schema import Record
from offside_data.takedown.names import Traces
from offside_data.takedown.readers._base import plain
from offside_data.takedown.tombstones import is_taken_down

if TYPE_CHECKING:
    from offside_data.images.intake import Intake

T = TypeVar("T")

WHY = "it is about somebody who was taken down from this dataset"
"""The reason that is reported; it names nobody."""


def reject_taken_down(imported: Imported, intake: Intake, traces: Traces) -> None:
    """Take records, pictures and subjects out of an import that a tombstone knows; see `Imported.leave_out`.

    A picture is known by what it shows or whom it is listed for, not by the place of its file, which another picture
    may have now. What others hold of the name is redacted, and so is what the adapter remarked, because remarks become
    decisions.

    Args:
        imported: What an adapter read.
        intake: Its pictures.
        traces: Of everybody who was taken down (`tombstones.read_tombstones`).
    """
    if not traces:
        return
    subjects = {
        row["subject_id"] for row in imported.subjects if is_taken_down(traces, row["subject_id"], row.get("name"))
    }
    traces = traces.sparing(row.get("name") or "" for row in imported.subjects if row["subject_id"] not in subjects)
    pictures = {
        picture.image_id
        for picture in (*imported.pictures, *(bad.picture for bad in intake.bad))
        if picture.subject_id in subjects or traces.has_id(picture.subject_id)
    }
    for image_id, loaded in intake.loaded.items():
        if traces.has_picture(loaded.columns["sha256"], loaded.columns["pixels_sha256"]):
            pictures.add(image_id)
    reasons = {
        record.record_id: WHY
        for record in imported.records
        if record.subject_id in subjects
        or record.image_id in pictures
        or traces.has_id(record.record_id)
        or any(traces.names_in(text) for text in _texts(record))
    }
    imported.leave_out(reasons, pictures=pictures)
    imported.subjects = [row for row in imported.subjects if row["subject_id"] not in subjects]
    for image_id in pictures:
        intake.loaded.pop(image_id, None)
    intake.bad[:] = [bad for bad in intake.bad if bad.picture.image_id not in pictures]
    _redact(imported, traces)


def _redact(imported: Imported, traces: Traces) -> None:
    """Take the name out of what is left: whom it stands beside may stay."""
    imported.remarks = [_without_name(remark, ("file", "why"), traces) for remark in imported.remarks]
    imported.pictures = [
        _without_name(picture, ("key", "occasion", "license"), traces) for picture in imported.pictures
    ]
    around = ("source_record", "sources", "annotations", "suspect")
    if any(_around(record, around, traces) for record in imported.records):
        imported.records = imported.records.rewritten(lambda record: _without_name(record, around, traces))


def _around(record: Record, names: Collection[str], traces: Traces) -> bool:
    return any(traces.names_in(text) for name in names for text in plain(getattr(record, name)))


def _without_name(value: T, names: Collection[str], traces: Traces) -> T:
    """A frozen object in some of whose fields the name is blotted out, in those of their own fields, too."""
    changes = {name: _blotted(getattr(value, name), traces) for name in names}
    changed = {name: new for name, new in changes.items() if new != getattr(value, name)}
    return dataclasses.replace(value, **changed) if changed else value  # type: ignore[type-var]


def _blotted(value: Any, traces: Traces) -> Any:
    if isinstance(value, str):
        return traces.redact(value)
    if isinstance(value, tuple):
        return tuple(_blotted(item, traces) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _without_name(value, [field.name for field in dataclasses.fields(value)], traces)
    return value


def _texts(record: Record) -> Iterator[str]:
    yield from (record.question, record.answer)
    yield from (*record.question_paraphrases, *record.answer_paraphrases, *record.perturbed_answers, *record.choices)
