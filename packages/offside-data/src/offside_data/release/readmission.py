"""Keep those out who were taken down: an import that replaces a dataset may not bring them back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.adapters._base import Imported, Remark
from offside_data.release.tombstones import is_taken_down
from offside_data.release.traces import Traces
from offside_data.schema import Record

if TYPE_CHECKING:
    from offside_data.images.intake import Intake

WHY = "it is about somebody who was taken down from this dataset"
"""The reason that is reported; it names nobody."""


def reject_taken_down(imported: Imported, intake: Intake, traces: Traces) -> None:
    """Take records, pictures and subjects out of an import that a tombstone knows; each record gets a remark.

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
    pictures = {picture.image_id for picture in imported.pictures if picture.subject_id in subjects}
    pictures |= {picture.image_id for picture in imported.pictures if traces.has_id(picture.image_id)}
    for image_id, loaded in intake.loaded.items():
        if traces.has_picture(loaded.columns["sha256"], loaded.columns["pixels_sha256"]):
            pictures.add(image_id)
    kept: list[Record] = []
    for record in imported.records:
        named = any(traces.names_in(text) for text in _texts(record))
        if record.subject_id in subjects or record.image_id in pictures or traces.has_id(record.record_id) or named:
            place = record.source_record
            file, index = (place.file, place.index) if place else ("", None)
            imported.remarks.append(Remark(kind="rejected", file=file, index=index, why=WHY))
        else:
            kept.append(record)
    imported.records = kept
    imported.subjects = [row for row in imported.subjects if row["subject_id"] not in subjects]
    imported.pictures = [picture for picture in imported.pictures if picture.image_id not in pictures]
    for image_id in pictures:
        intake.loaded.pop(image_id, None)
    intake.bad[:] = [bad for bad in intake.bad if bad.picture.image_id not in pictures]


def _texts(record: Record) -> Iterator[str]:
    yield from (record.question, record.answer)
    yield from (*record.question_paraphrases, *record.answer_paraphrases, *record.perturbed_answers, *record.choices)
