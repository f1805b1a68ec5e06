"""Is every question asked once: no two answers to one question, no fact twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from offside_data.findings import Finding
from offside_data.inspection import Inspection, Item
from offside_data.schema import CONFIGS, ClaimValue
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Taxonomy


def run(inspection: Inspection) -> Iterator[Finding]:
    """Group the records of a config by normalised question, and by picture where they have one."""
    for config in CONFIGS:
        groups: dict[tuple[str | None, str], list[Item]] = {}
        for item in inspection.of(config):
            about = item.picture if config == "multimodal" else None
            groups.setdefault((about, normalised(item.row["question"])), []).append(item)
        for (_, question), items in groups.items():
            if question and len(items) > 1:
                yield _finding(items, inspection.dataset.taxonomy)


def _finding(items: list[Item], taxonomy: Taxonomy) -> Finding:
    ids = ", ".join(item.name for item in items)
    if not all(_same_answer(items[0], item, taxonomy) for item in items[1:]):
        answers = " / ".join(repr(item.row["answer"]) for item in items)
        message = f"records {ids} ask the same question, {items[0].row['question']!r}, with answers {answers}."
        severity = min((item.severity for item in items), key=("warning", "error").index)
        return Finding(severity, "question-conflict", items[0].name, message)
    message = f"records {ids} ask {items[0].row['question']!r} with the same answer; keep one."
    return Finding("warning", "question-repeated", items[0].name, message)


def _same_answer(a: Item, b: Item, taxonomy: Taxonomy) -> bool:
    """Whether two records give the same answer: the same words, or the same value in other words."""
    if normalised(a.row["answer"]) == normalised(b.row["answer"]):
        return True
    attribute, values = a.row["attribute"], (a.row["value"], b.row["value"])
    if attribute != b.row["attribute"] or attribute not in taxonomy or None in values:
        return False
    return same_value(ClaimValue(**values[0]), ClaimValue(**values[1]), taxonomy[attribute])


def normalised(text: str | None) -> str:
    """`text` without what doesn't change a question: case, blanks, compatibility forms, the last mark."""
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    return " ".join(folded.split()).rstrip(" .?!")
