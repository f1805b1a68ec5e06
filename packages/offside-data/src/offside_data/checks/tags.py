"""Is everything tagged: no record without an attribute, no claim whose veracity the rest of the dataset contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from offside_data.checks._base import Inspection
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.schema import Record
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.veracity import veracity_doubts

_LISTS = ("sources", "annotations", "question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices")


def run(inspection: Inspection) -> Iterator[Issue]:
    """Count untagged records file by file, and compare claims with their sources, targets and roles."""
    untagged = Counter(item.file for item in inspection.records if item.row["attribute"] == UNTAGGED.name)
    for file, count in untagged.items():
        message = f"{count} records have no attribute yet. Run `offside-data tag`, then decide the rest by hand."
        yield Issue("error", "untagged", file, message)
    taxonomy = inspection.dataset.taxonomy
    known = {
        item.name: item for item in inspection.records if _is_sound(item.row) and item.row["attribute"] in taxonomy
    }
    records = [Record.from_row({**item.row, "image": None}) for item in known.values()]
    for name, doubts in veracity_doubts(records, taxonomy).items():
        for doubt in doubts:
            severity = known[name].severity if doubt.code == "correction-repeats" else "warning"
            yield Issue(severity, doubt.code, name, f"{doubt.why}.")


def _is_sound(row: Row) -> bool:
    """Whether a row can be made a record of; if not, `records` says so."""
    return all(row[field] is not None for field in _LISTS)
