"""Keep those out who were taken down: an import that replaces a dataset may not bring them back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.adapters._base import Imported
from offside_data.schema import Record
from offside_data.takedown.names import Traces
from offside_data.takedown.tombstones import is_taken_down

if TYPE_CHECKING:
    from offside_data.images.intake import Intake

WHY = "it is about somebody who was taken down from this dataset"
"""The reason that is reported; it names nobody."""


def reject_taken_down(imported: Imported, intake: Intake, traces: Traces) -> None:
    """Take records, pictures and subjects out of an import that a tombstone knows; see `Imported.leave_out`.

    What the adapter remarked is redacted, because remarks become decisions.

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
    pictures = {
        picture.image_id
        for picture in (*imported.pictures, *(bad.picture for bad in intake.bad))
        if picture.subject_id in subjects or traces.has_id(picture.subject_id) or traces.has_id(picture.image_id)
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
    imported.remarks = [
        dataclasses.replace(remark, file=traces.redact(remark.file), why=traces.redact(remark.why))
        for remark in imported.remarks
    ]
    for image_id in pictures:
        intake.loaded.pop(image_id, None)
    intake.bad[:] = [bad for bad in intake.bad if bad.picture.image_id not in pictures]


def _texts(record: Record) -> Iterator[str]:
    yield from (record.question, record.answer)
    yield from (*record.question_paraphrases, *record.answer_paraphrases, *record.perturbed_answers, *record.choices)
