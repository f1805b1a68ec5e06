"""Do answer, value, choices and wrong answers fit together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.checks._base import NO_ID, CheckedDataset, severity_of
from offside_data.checks._pairs import ROWS, ClaimPairs, pairs_of
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.tagging.claims import Claim

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = ("record_id", "attribute", "value", "answer", "perturbed_answers", "choices", "correct_choice", "suspect")


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look for the true value among the wrong answers, and for answers that don't state their value."""
    for issues in checked.map(_in_file):
        yield from issues


def _in_file(dataset: OffsideDataset, part: str, file: Path) -> list[Issue]:

    pairs = pairs_of(dataset.taxonomy)
    issues: list[Issue] = []
    for batch in dataset.batches(part, _COLUMNS, [file], ROWS):
        rows = batch.with_columns(pairs.numbers(batch)).with_row_index("row")
        for row in rows[_contradicting(rows, pairs)].drop("row").iter_rows(named=True):
            issues += _check(row, pairs.claims.listed[row["claim"]])
    return issues


def _contradicting(rows: pl.DataFrame, pairs: ClaimPairs) -> pl.Series:
    """The rows with an answer or right choice that doesn't state the value, or a wrong one that does."""
    import polars as pl

    col = pl.col
    rows = rows.drop_nulls("claim")
    choices = rows.select("row", "claim", "correct_choice", text="choices").filter(col("text").list.len() > 0)
    places = pl.int_ranges(col("text").list.len()).alias("place")
    choices = choices.with_columns(places).explode("text", "place")
    said = [
        rows.select("row", "claim", text="answer", right=pl.lit(True)),
        rows.select("row", "claim", text="perturbed_answers", right=pl.lit(False)).explode("text"),
        choices.select("row", "claim", "text", right=(col("place") == col("correct_choice")).fill_null(False)),
    ]
    texts = pl.concat(said)
    return texts.filter(pairs.stating(texts) != col("right"))["row"].unique().sort()


def _check(row: Row, claim: Claim) -> Iterator[Issue]:
    name, value = row["record_id"] or NO_ID, claim.value.text
    if not claim.is_in(row["answer"]):
        message = f"the answer {row['answer']!r} doesn't state its value, {value!r}."
        yield Issue("warning", "value-not-in-answer", name, message)
    for text in row["perturbed_answers"] or ():
        if claim.is_in(text):
            message = f"the perturbed answer {text!r} states the true value, {value!r}."
            yield Issue(severity_of(row), "true-distractor", name, message)
    for place, choice in enumerate(row["choices"] or ()):
        if place != row["correct_choice"] and claim.is_in(choice):
            message = f"choice {place}, {choice!r}, states the true value, {value!r}, but isn't the correct one."
            yield Issue(severity_of(row), "true-distractor", name, message)
        elif place == row["correct_choice"] and not claim.is_in(choice):
            message = f"choice {place}, {choice!r}, is marked correct but doesn't state the value, {value!r}."
            yield Issue(severity_of(row), "value-not-in-choice", name, message)
