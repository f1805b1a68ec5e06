"""Does each record keep to the data model and the taxonomy, under an id of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from offside_data.checks._base import Inspection, Item
from offside_data.issues import Issue
from offside_data.validation import row_problems


def run(inspection: Inspection) -> Iterator[Issue]:
    """Check records one by one, then their ids."""
    subjects = {item.name for item in inspection.items.get("subjects", ())}
    unknown = set()
    for item in inspection.records:
        yield from _check(item, inspection)
        if item.row["suspect"]:
            yield Issue("warning", "suspect", item.name, f"flagged for a second look: {item.row['suspect']}")
        subject = item.row["subject_id"]
        if subject is not None and subject not in subjects:
            unknown.add(subject)
    for subject in sorted(unknown):
        message = "has records but no row in tables/subjects.parquet."
        yield Issue("warning", "subject-unlisted", subject, message)
    for kind, items in (
        ("record_id", inspection.records),
        ("subject_id", inspection.items.get("subjects", [])),
        ("image_id", inspection.items.get("images", [])),
    ):
        for name, count in Counter(item.name for item in items).items():
            if count > 1:
                code = f"duplicate-{kind.replace('_', '-')}"
                yield Issue("error", code, name, f"{kind} {name} stands {count} times; it must be unique.")


def _check(item: Item, inspection: Inspection) -> Iterator[Issue]:
    # A picture is looked at elsewhere, by its hash.
    image = {"bytes": b"", "path": ""} if item.row["image"] else None
    for problem in row_problems({**item.row, "image": image}, inspection.dataset.taxonomy):
        yield Issue("error", "record-invalid", item.name, problem)
    home = f"{item.row['modality']}/{item.row['split']}"
    if home != item.file:
        yield Issue("error", "wrong-file", item.name, f"a {home} record lies in {item.file}.")
