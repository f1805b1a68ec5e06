"""Do the splits keep their roles: no picture in two of them, corrections that correct something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from offside_data.findings import Finding
from offside_data.inspection import Inspection, Item
from offside_data.schema import SPLITS


def run(inspection: Inspection) -> Iterator[Finding]:
    """Compare splits with each other."""
    yield from _leaks(inspection)
    yield from _derived_tests(inspection)
    yield from _corrections(inspection)
    yield from _holdout(inspection)


def _leaks(inspection: Inspection) -> Iterator[Finding]:
    """The same picture in two splits, by its bytes or, in another encoding, by its listed pixels."""
    pixels = {item.name: item.row["pixels_sha256"] for item in inspection.items.get("images", ())}
    by_bytes: dict[str, list[Item]] = {}
    by_pixels: dict[str, list[Item]] = {}
    for item in inspection.of("multimodal"):
        if item.picture is not None:
            by_bytes.setdefault(item.picture, []).append(item)
        if pixels.get(item.row["image_id"]) is not None:
            by_pixels.setdefault(pixels[item.row["image_id"]], []).append(item)
    yield from _in_two_splits(by_bytes.values())
    yield from _in_two_splits(items for items in by_pixels.values() if len({item.picture for item in items}) > 1)


def _in_two_splits(pictures: Iterable[list[Item]]) -> Iterator[Finding]:
    for items in pictures:
        ids = {item.row["image_id"] for item in items}
        own = [item for item in items if item.row["derived_from"] not in ids]
        splits = {item.row["split"] for item in own}
        if len(splits) > 1:
            names = " and ".join(split for split in SPLITS if split in splits)
            message = (
                f"the same picture (image_id {', '.join(sorted(map(str, ids)))}) stands in {names}. "
                "Keep it in one split, or say with derived_from that one was made from the other."
            )
            yield Finding("error", "picture-leak", str(own[0].row["image_id"]), message)


def _derived_tests(inspection: Inspection) -> Iterator[Finding]:
    retained = {item.row["image_id"] for item in inspection.records if item.row["split"] == "retain"}
    for item in inspection.records:
        row = item.row
        if row["split"] == "test" and row["scope"] == "private" and row["derived_from"] not in retained:
            message = (
                "a private test record must be derived_from a retain picture, because a private claim "
                f"belongs to one picture; derived_from is {row['derived_from']!r}."
            )
            yield Finding(item.severity, "test-not-derived", item.name, message)


def _corrections(inspection: Inspection) -> Iterator[Finding]:
    records = {item.name: item.row for item in inspection.records}
    for item in inspection.records:
        row, target = item.row, records.get(item.row["corrects"])
        if row["corrects"] is None:
            if (row["split"], row["scope"], row["veracity"]) == ("relearn", "private", "correction"):
                message = "a correction without corrects: name the record of the rumour that it replaces."
                yield Finding("warning", "correction-unlinked", item.name, message)
        elif target is None:
            message = f"corrects {row['corrects']!r}, but there is no such record."
            yield Finding("error", "corrects-dangling", item.name, message)
        elif (target["subject_id"], target["attribute"], target["veracity"]) != (
            row["subject_id"],
            row["attribute"],
            "rumor",
        ):
            message = (
                f"corrects {row['corrects']}, which is a {target['veracity']} about {target['attribute']} of "
                f"{target['subject_id']}; it must be a rumor about {row['attribute']} of {row['subject_id']}."
            )
            yield Finding("error", "corrects-mismatch", item.name, message)


def _holdout(inspection: Inspection) -> Iterator[Finding]:
    unseen = {item.name for item in inspection.items.get("subjects", ()) if item.row["cohort"] == "holdout"}
    seen = {item.row["subject_id"]: item for item in inspection.records if item.row["split"] != "holdout"}
    for subject in sorted(unseen & seen.keys()):
        message = f"is in the holdout cohort, but record {seen[subject].name} is in {seen[subject].file}."
        yield Finding("error", "holdout-leak", subject, message)
