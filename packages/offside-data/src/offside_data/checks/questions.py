"""Is every question asked once: no two answers to one question, no fact twice, no two claims about one thing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.checks._base import CheckedDataset, severity_of
from offside_data.dataset.storage import Row
from offside_data.issues import Issue, Severity
from offside_data.schema import ClaimValue
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the records about one picture: by question, then by attribute. Without one, the question is all there is.

    The same question about another picture is another question.
    """
    import polars as pl

    taxonomy, col, records = checked.dataset.taxonomy, pl.col, checked.records
    pixels = checked.tables["images"].select("image_id", "pixels_sha256").unique("image_id", keep="last")
    # Hashes alone, and joined by one column alone: whole records would be held several times.
    stated = records.select("image_id").join(pixels, on="image_id", how="left", maintain_order="left")["pixels_sha256"]
    keys = records.select(
        "attribute",
        config=col("part").cast(pl.String).str.split("/").list.first(),
        picture=pl.coalesce(stated.replace("", None), "picture_sha256", "image_id"),
        subject=col("subject_id").hash(),
        words=pl.when(col("question").fill_null("") != "").then(normalised_of("question")),
    ).with_row_index("place")
    keys = keys.with_columns(words=pl.when(col("words") != "").then(col("words").hash()))
    shown = pl.when(col("config") == "multimodal").then("picture").hash()
    conflicts: set[str] = set()
    for rows in _groups(records, keys.filter(col("words").is_not_null()), pl.struct("config", shown, "words")):
        for issue in _about_question(rows, taxonomy):
            conflicts |= {row["record_id"] for row in rows}
            yield issue
    # Of free text, several different things may be true.
    typed = [name for name in taxonomy.names() if taxonomy[name].kind != "text"]
    claimed = keys.filter(col("config") == "multimodal", col("picture").is_not_null(), col("attribute").is_in(typed))
    for rows in _groups(records, claimed, pl.struct(col("picture").hash(), "subject", "attribute")):
        if conflicts.isdisjoint(row["record_id"] for row in rows):
            yield from _about_attribute(rows, taxonomy)


def _groups(records: pl.DataFrame, keys: pl.DataFrame, key: pl.Expr) -> Iterator[list[Row]]:
    """The records of each key that several of them have; `place` says which record a row of `keys` is about."""
    import polars as pl

    several = keys.select("place", key=key.hash()).filter(pl.col("key").is_duplicated())
    for _, group in several.group_by("key", maintain_order=True):
        yield records[group["place"].to_list()].to_dicts()


def _about_question(rows: list[Row], taxonomy: Taxonomy) -> Iterator[Issue]:
    ids = ", ".join(row["record_id"] for row in rows)
    first = rows[0]
    if not all(same_answer(first, row, taxonomy) for row in rows[1:]):
        answers = " / ".join(repr(row["answer"]) for row in rows)
        message = f"records {ids} ask the same question, {first['question']!r}, with answers {answers}."
        yield Issue(_severity(rows), "question-conflict", first["record_id"], message)
        return
    pictures = {row["image_id"] for row in rows}
    if sum(row["derived_from"] not in pictures for row in rows) > 1:  # A declared copy may ask it again.
        message = f"records {ids} ask {first['question']!r} with the same answer; keep one."
        yield Issue("warning", "question-repeated", first["record_id"], message)


def _about_attribute(rows: list[Row], taxonomy: Taxonomy) -> Iterator[Issue]:
    """Two values of one attribute of one picture, asked for in different words."""
    first = rows[0]
    different = [row for row in rows[1:] if not same_answer(first, row, taxonomy)]
    if different:
        ids = ", ".join(row["record_id"] for row in rows)
        answers = " / ".join(repr(row["answer"]) for row in (first, *different))
        message = f"records {ids} are about {first['attribute']} of one picture and contradict each other: {answers}."
        yield Issue(_severity(rows), "claim-conflict", first["record_id"], message)


def _severity(rows: list[Row]) -> Severity:
    """An error, or a warning once one of the records is flagged."""
    return min(map(severity_of, rows), key=("warning", "error").index)


def same_answer(a: Row, b: Row, taxonomy: Taxonomy) -> bool:
    """Whether two records give the same answer: the same words, or the same value in other words."""
    if normalised(a["answer"]) == normalised(b["answer"]):
        return True
    attribute, values = a["attribute"], (a["value"], b["value"])
    if attribute != b["attribute"] or attribute not in taxonomy or None in values:
        return False
    return same_value(ClaimValue(**values[0]), ClaimValue(**values[1]), taxonomy[attribute])


def normalised(text: str | None) -> str:
    """`text` without what doesn't change a question: case, blanks, compatibility forms, the last mark."""
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    return " ".join(folded.split()).rstrip(" .?!")


def normalised_of(column: str) -> pl.Expr:
    """`normalised` of a column of texts, each distinct one asked once."""
    import polars as pl

    def all_of(texts: pl.Series) -> pl.Series:
        distinct = texts.unique()
        known = pl.Series([normalised(text) for text in distinct], dtype=pl.String)
        return texts.replace_strict(distinct, known, return_dtype=pl.String)

    return pl.col(column).map_batches(all_of, return_dtype=pl.String)
