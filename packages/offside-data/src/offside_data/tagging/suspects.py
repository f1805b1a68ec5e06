"""Records that contradict each other: flagged for a curator, never dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import records_of
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.values import same_value
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl


def add_suspect(record: Record, why: str) -> Record:
    """The record with one more reason to look at it again."""
    reasons = reasons_of(record.suspect)
    return record if why in reasons else dataclasses.replace(record, suspect="; ".join([*reasons, why]))


def reasons_of(suspect: str | None) -> list[str]:
    """Why a curator should look at a record again, one by one, from its `suspect`."""
    return suspect.split("; ") if suspect else []


def with_reasons(suspect: str | None, topics: tuple[str, ...], reasons: Sequence[str]) -> str | None:
    """A `suspect` with exactly these reasons of some topics (`fee: …`) and all others that it has already."""
    told = tuple(f"{topic}: " for topic in topics)
    kept = [reason for reason in reasons_of(suspect) if not reason.startswith(told)]
    return "; ".join([*kept, *(r.replace("; ", ", ") for r in reasons)]) or None


COMPARED = (
    *("record_id", "subject_id", "image_id", "modality", "attribute", "scope"),
    *("question", "answer", "value", "suspect"),
)
"""Columns of records that contradictions are found in."""


def with_contradictions(records: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The same records, those flagged in `suspect` that contradict others.

    A shared fact holds for its subject everywhere, so a value that most other records of the subject don't
    have is suspect (without a majority, all are). Values of kind `text` are left out: two sentences of different
    words about one subject needn't contradict each other. A question must have one answer, for its picture if it
    has one, so all records of a question that has several are suspect, whatever the kind.

    Args:
        records: All records, at least with the columns `COMPARED`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    compared = records.select(COMPARED).with_row_index("place")
    kind = pl.col("value").struct.field("kind")
    is_fact = (pl.col("scope") == "shared") & pl.col("attribute").is_not_null() & (kind != "text")
    of_fact = ("subject_id", "attribute")
    facts = compared.filter(is_fact).filter(pl.col("value").n_unique().over(of_fact) > 1)
    told = compared.select("question").unique()
    words = told.with_columns(words=pl.Series([" ".join(folded_words(q)) for q in told["question"]], dtype=pl.String))
    about = pl.when(pl.col("modality") == "multimodal").then("image_id").alias("about")
    asked = compared.join(words, on="question", how="left").with_columns(about)
    of_question = ("modality", "about", "words")
    several = asked.filter(pl.col("answer").n_unique().over(of_question) > 1).sort("place")
    flagged: dict[int, Record] = {}
    for (_, name), group in facts.sort("place").group_by(of_fact, maintain_order=True):
        found = records_of(group.drop("place"), PictureStore())
        for i, why in _against_the_majority(found, taxonomy[str(name)]):
            flagged[group["place"][i]] = add_suspect(found[i], why)
    for _, group in several.group_by(of_question, maintain_order=True):
        found = records_of(group.select(COMPARED), PictureStore())
        if not all(same_answer(found[0], other, taxonomy) for other in found[1:]):
            said = " / ".join(dict.fromkeys(repr(record.answer) for record in found))
            for place, record in zip(group["place"], found, strict=True):
                now = flagged.get(place, record)
                if now.suspect is None:
                    flagged[place] = add_suspect(now, f"the same question has different answers: {said}")
    if not flagged:
        return records
    reasons = pl.DataFrame({"place": list(flagged), "why": [record.suspect for record in flagged.values()]})
    joined = records.with_row_index("place").join(
        reasons.cast({"place": pl.UInt32}), on="place", how="left", maintain_order="left"
    )
    return joined.with_columns(suspect=pl.coalesce("why", "suspect")).drop("place", "why")


def _against_the_majority(records: list[Record], attribute: Attribute) -> list[tuple[int, str]]:
    clusters: list[list[int]] = []
    values = [record.value for record in records if record.value is not None]
    for i, value in enumerate(values):
        home = next((c for c in clusters if same_value(values[c[0]], value, attribute)), None)
        if home is None:
            clusters.append([i])
        else:
            home.append(i)
    if len(clusters) < 2:
        return []
    clusters.sort(key=len, reverse=True)
    tied = len(clusters[0]) == len(clusters[1])
    found = []
    for cluster in clusters if tied else clusters[1:]:
        others = [c for c in clusters if c is not cluster]
        said = ", ".join(f"{values[c[0]].text!r} ({len(c)})" for c in others)
        found += [
            (i, f"{attribute.name} is {values[i].text!r} here, but elsewhere for this subject {said}") for i in cluster
        ]
    return found


def same_answer(a: Record, b: Record, taxonomy: Taxonomy) -> bool:
    """Whether two records give the same answer: in the same words, or the same value of the same attribute."""
    if folded_words(a.answer) == folded_words(b.answer):
        return True
    values: tuple[ClaimValue | None, ClaimValue | None] = (a.value, b.value)
    if a.attribute is None or a.attribute != b.attribute or values[0] is None or values[1] is None:
        return False
    return same_value(values[0], values[1], taxonomy[a.attribute])
