"""Do the splits keep their roles: tests of what was learnt, corrections that correct something, holdouts unseen."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import Inspection
from offside_data.issues import Issue


def run(inspection: Inspection) -> Iterator[Issue]:
    """Compare splits with each other."""
    yield from _derived_tests(inspection)
    yield from _corrections(inspection)
    yield from _holdout(inspection)


def _derived_tests(inspection: Inspection) -> Iterator[Issue]:
    retained = {item.row["image_id"] for item in inspection.records if item.row["split"] == "retain"}
    for item in inspection.records:
        row = item.row
        if row["split"] == "test" and row["scope"] == "private" and row["derived_from"] not in retained:
            message = (
                "a private test record must be derived_from a retain picture, because a private claim "
                f"belongs to one picture; derived_from is {row['derived_from']!r}."
            )
            yield Issue(item.severity, "test-not-derived", item.name, message)


def _corrections(inspection: Inspection) -> Iterator[Issue]:
    records = {item.name: item.row for item in inspection.records}
    for item in inspection.records:
        row, target = item.row, records.get(item.row["corrects"])
        if row["corrects"] is None:
            if (row["split"], row["scope"], row["veracity"]) == ("relearn", "private", "correction"):
                message = "a correction without corrects: name the record of the rumour that it replaces."
                yield Issue("warning", "correction-unlinked", item.name, message)
        elif target is None:
            message = f"corrects {row['corrects']!r}, but there is no such record."
            yield Issue("error", "corrects-dangling", item.name, message)
        elif (target["subject_id"], target["attribute"], target["veracity"]) != (
            row["subject_id"],
            row["attribute"],
            "rumor",
        ):
            message = (
                f"corrects {row['corrects']}, which is a {target['veracity']} about {target['attribute']} of "
                f"{target['subject_id']}; it must be a rumor about {row['attribute']} of {row['subject_id']}."
            )
            yield Issue("error", "corrects-mismatch", item.name, message)


def _holdout(inspection: Inspection) -> Iterator[Issue]:
    unseen = {item.name for item in inspection.items.get("subjects", ()) if item.row["cohort"] == "holdout"}
    seen = {item.row["subject_id"]: item for item in inspection.records if item.row["split"] != "holdout"}
    for subject in sorted(unseen & seen.keys()):
        message = f"is in the holdout cohort, but record {seen[subject].name} is in {seen[subject].file}."
        yield Issue("error", "holdout-leak", subject, message)
