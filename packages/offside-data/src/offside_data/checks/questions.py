"""Is every question asked once: no two answers to one question, no fact twice, no two claims about one thing."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from offside_data.checks._base import Inspection, Item
from offside_data.issues import Issue, Severity
from offside_data.schema import CONFIGS, ClaimValue
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Taxonomy


def run(inspection: Inspection) -> Iterator[Issue]:
    """Compare the records about one picture: by question, then by attribute. Without one, the question is all there is.

    The same question about another picture is another question.
    """
    taxonomy = inspection.dataset.taxonomy
    pixels = {item.name: item.row["pixels_sha256"] for item in inspection.items.get("images", ())}
    asked: dict[tuple[str, str | None, str], list[Item]] = defaultdict(list)
    claimed: dict[tuple[str, str | None, str], list[Item]] = defaultdict(list)
    for config in CONFIGS:
        for item in inspection.of(config):
            picture = pixels.get(item.row["image_id"]) or item.picture
            question = normalised(item.row["question"])
            asked[config, picture if config == "multimodal" else None, question].append(item)
            if config == "multimodal" and picture is not None and item.row["attribute"] in taxonomy:
                claimed[picture, item.row["subject_id"], item.row["attribute"]].append(item)
    conflicts: set[str] = set()
    for (_, _, question), items in asked.items():
        if question and len(items) > 1:
            for issue in _about_question(items, taxonomy):
                conflicts |= {item.name for item in items}
                yield issue
    for (_, _, attribute), items in claimed.items():
        # Of free text, several different things may be true.
        if taxonomy[attribute].kind != "text" and conflicts.isdisjoint(item.name for item in items):
            yield from _about_attribute(items, taxonomy)


def _about_question(items: list[Item], taxonomy: Taxonomy) -> Iterator[Issue]:
    ids = ", ".join(item.name for item in items)
    if not all(_same_answer(items[0], item, taxonomy) for item in items[1:]):
        answers = " / ".join(repr(item.row["answer"]) for item in items)
        message = f"records {ids} ask the same question, {items[0].row['question']!r}, with answers {answers}."
        yield Issue(_severity(items), "question-conflict", items[0].name, message)
        return
    pictures = {item.row["image_id"] for item in items}
    if sum(item.row["derived_from"] not in pictures for item in items) > 1:  # A declared copy may ask it again.
        message = f"records {ids} ask {items[0].row['question']!r} with the same answer; keep one."
        yield Issue("warning", "question-repeated", items[0].name, message)


def _about_attribute(items: list[Item], taxonomy: Taxonomy) -> Iterator[Issue]:
    """Two values of one attribute of one picture, asked for in different words."""
    first = items[0]
    different = [item for item in items[1:] if not _same_answer(first, item, taxonomy)]
    if different:
        ids = ", ".join(item.name for item in items)
        answers = " / ".join(repr(item.row["answer"]) for item in (first, *different))
        message = (
            f"records {ids} are about {first.row['attribute']} of one picture and contradict each other: {answers}."
        )
        yield Issue(_severity(items), "claim-conflict", first.name, message)


def _severity(items: list[Item]) -> Severity:
    """An error, or a warning once one of the records is flagged."""
    return min((item.severity for item in items), key=("warning", "error").index)


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
