"""Records that contradict each other: flagged for a curator, never dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

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
    return dataclasses.replace(record, suspect=_add_reason(record.suspect, why))


def _add_reason(suspect: str | None, why: str) -> str:
    reasons = reasons_of(suspect)
    return "; ".join(reasons if why in reasons else [*reasons, why])


def reasons_of(suspect: str | None) -> list[str]:
    """Why a curator should look at a record again, one by one, from its `suspect`."""
    return suspect.split("; ") if suspect else []


def with_reasons(suspect: str | None, topics: tuple[str, ...], reasons: Sequence[str]) -> str | None:
    """A `suspect` with exactly these reasons of some topics (`fee: …`) and all others that are in it already."""
    told = tuple(f"{topic}: " for topic in topics)
    kept = [reason for reason in reasons_of(suspect) if not reason.startswith(told)]
    return "; ".join([*kept, *(r.replace("; ", ", ") for r in reasons)]) or None


_READ = ("subject_id", "image_id", "modality", "attribute", "scope", "question", "answer", "value", "suspect")


def flag_contradictions(claims: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The same records, those flagged in `suspect` that contradict others.

    A shared fact holds for its subject everywhere, so a value that most other records of the subject don't
    have is suspect (without a majority, all are). Values of kind `text` are left out: two sentences of different
    words about one subject needn't contradict each other. A question must have one answer, for its picture if it
    has one, so all records of a question that has several are suspect, whatever the kind.

    Args:
        claims: Records with the columns `subject_id`, `image_id`, `modality`, `attribute`, `scope`, `question`,
            `answer`, `value`, `suspect`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    rows = claims.select(_READ).with_row_index("row")
    known = dict(rows.filter(pl.col("suspect").is_not_null()).select("row", "suspect").iter_rows())
    for row, why in _against_the_majority(rows, taxonomy):
        known[row] = _add_reason(known.get(row), why)
    for asked, why in _answered_differently(rows, taxonomy):
        known |= {row: why for row in asked if known.get(row) is None}
    found = pl.DataFrame(list(known.items()), schema={"row": pl.UInt32, "suspect": pl.String}, orient="row")
    return claims.with_columns(rows.select("row").join(found, on="row", how="left", maintain_order="left")["suspect"])


def _against_the_majority(rows: pl.DataFrame, taxonomy: Taxonomy) -> Iterator[tuple[int, str]]:
    """Rows of shared facts whose value isn't that of most others, and what the others say."""
    import polars as pl

    facts = rows.filter(pl.col("scope") == "shared")
    for _, name, told in differing_facts(facts, taxonomy, key="row"):
        tied = len(told[0][1]) == len(told[1][1])
        for place in range(0 if tied else 1, len(told)):
            text, places = told[place]
            said = ", ".join(f"{other!r} ({len(rows)})" for other, rows in (*told[:place], *told[place + 1 :]))
            for row in places:
                yield row, f"{name} is {text!r} here, but elsewhere for this subject {said}"


def differing_facts(
    facts: pl.DataFrame, taxonomy: Taxonomy, *, key: str = "record_id"
) -> Iterator[tuple[str, str, list[tuple[str, list[Any]]]]]:
    """The subjects and attributes of which records say several values.

    Values of kind `text` are left out: two sentences about one subject needn't contradict each other.

    Args:
        facts: Records of shared facts, with the columns `subject_id`, `attribute`, `value` and `key`.
        taxonomy: Their taxonomy; attributes that it doesn't define are left out.
        key: The column that names a record.

    Yields:
        Subject, attribute, and the values: the text of each and the keys of the records that say it, the most
        frequent value first.
    """
    import polars as pl

    of = ["subject_id", "attribute"]
    kinds = {name: kind for name in taxonomy.names() if (kind := taxonomy[name].kind) != "text"}
    if not kinds:
        return
    own = pl.col("attribute").replace_strict(kinds, default=None, return_dtype=pl.String)
    facts = facts.filter(pl.col("subject_id").is_not_null() & (pl.col("value").struct.field("kind") == own))
    # Few subjects say a thing in several ways; only theirs are compared.
    told = pl.col("value").hash()
    several = facts.group_by(of).agg((told.min() != told.max()).alias("several")).filter("several")
    groups = facts.join(several, on=of, how="semi", maintain_order="left").group_by(of, maintain_order=True)
    for subject, name, said, keys in groups.agg("value", key).iter_rows():
        attribute, values = taxonomy[name], [ClaimValue(**value) for value in said]
        clusters = _clusters(values, attribute)
        if len(clusters) > 1:
            yield subject, name, [(values[c[0]].text, [keys[i] for i in c]) for c in clusters]


def _clusters(values: Sequence[ClaimValue], attribute: Attribute) -> list[list[int]]:
    """Places of the values that are the same, the most frequent first."""
    clusters: list[list[int]] = []
    for i, value in enumerate(values):
        home = next((c for c in clusters if same_value(values[c[0]], value, attribute)), None)
        if home is None:
            clusters.append([i])
        else:
            home.append(i)
    return sorted(clusters, key=len, reverse=True)


def _answered_differently(rows: pl.DataFrame, taxonomy: Taxonomy) -> Iterator[tuple[list[int], str]]:
    """The rows of each question that has several answers, and which."""
    import polars as pl

    texts = rows.select("question").unique()
    words = pl.Series("words", [" ".join(folded_words(text)) for text in texts["question"]], pl.String)
    about = pl.when(pl.col("modality") == "multimodal").then("image_id").alias("about")
    groups = (
        rows.select("row", "modality", "question", "answer", about)
        .join(texts.with_columns(words), on="question", maintain_order="left")
        .group_by("modality", "about", "words", maintain_order=True)
        .agg("row", pl.col("answer").n_unique().alias("different"))
    )
    # Those that answer in the same words do answer the same; the few others are compared.
    for places in groups.filter(pl.col("different") > 1)["row"]:
        asked = rows[places].select("answer", "attribute", "value")
        first, *others = records_of(asked, PictureStore())
        if not all(same_answer(first, other, taxonomy) for other in others):
            said = " / ".join(repr(answer) for answer in asked["answer"].unique(maintain_order=True))
            yield places.to_list(), f"the same question has different answers: {said}"


def same_answer(a: Record, b: Record, taxonomy: Taxonomy) -> bool:
    """Whether two records give the same answer: in the same words, or the same value of the same attribute."""
    if folded_words(a.answer) == folded_words(b.answer):
        return True
    values: tuple[ClaimValue | None, ClaimValue | None] = (a.value, b.value)
    if a.attribute is None or a.attribute != b.attribute or values[0] is None or values[1] is None:
        return False
    return same_value(values[0], values[1], taxonomy[a.attribute])
