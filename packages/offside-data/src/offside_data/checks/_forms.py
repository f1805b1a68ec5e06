"""What is wrong with the answers and the further forms of records, looked at by columns first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.checks._base import NO_ID, severity_of
from offside_data.checks._pairs import ClaimPairs
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.questions.phrasings import BLANK, value_text
from offside_data.tagging.claims import Claim, Texts
from offside_data.tagging.values import same_value

if TYPE_CHECKING:
    import polars as pl

_LISTS = ("answer_paraphrases", "perturbed_answers", "choices")
READ = ("record_id", "attribute", "value", "answer", "correct_choice", "cloze", "suspect", *_LISTS)
"""Columns that are looked at."""


class CheckedForms:
    """Looks at the answers and forms of records.

    Args:
        pairs: Of their taxonomy.
        values: What is true of subjects, by the numbers in `told`.
    """

    def __init__(self, pairs: ClaimPairs, values: pl.DataFrame) -> None:
        import polars as pl

        self._pairs, self._listed = pairs, pairs.claims.listed
        numbered = values.select(told="number", told_claim=pairs.numbers(values))
        self._told = numbered.cast({"told": pl.UInt32})
        self._told_by_number = dict(self._told.rows())

    def issues(self, rows: pl.DataFrame) -> Iterator[Issue]:
        """What is wrong, record by record; only those are looked at that columns leave open.

        Args:
            rows: The columns `READ`, and of what is told of their subjects the numbers, `told`, and who says so,
                `tellers`.
        """
        import polars as pl

        rows = rows.with_columns(self._pairs.numbers(rows)).with_row_index("row")
        claimed = rows.drop_nulls("claim")
        # One reading serves all that is asked of a text.
        texts = [claimed.select("attribute", text="answer")]
        texts += [claimed.select("attribute", text=name).explode("text") for name in _LISTS]
        marks = self._pairs.marks(pl.concat(texts))
        odd = rows.filter(pl.col("cloze").str.count_matches(BLANK, literal=True) != 1)["row"]
        suspects = [odd, self._contradicting(claimed, marks), self._unlike_value(claimed, marks)]
        suspects += [self._true_of_others(claimed, marks), self._pairs.repeating(claimed, marks)]
        for row in rows[pl.concat(suspects).unique().sort()].drop("row").iter_rows(named=True):
            if row["claim"] is not None:
                yield from _of_own_value(row, self._listed[row["claim"]])
            yield from self._of_forms(row)

    def _contradicting(self, rows: pl.DataFrame, marks: pl.DataFrame) -> pl.Series:
        """The rows with an answer or right choice that doesn't state the value, or a wrong one that does."""
        import polars as pl

        col = pl.col
        choices = rows.select("row", "claim", "correct_choice", text="choices").filter(col("text").list.len() > 0)
        places = pl.int_ranges(col("text").list.len()).alias("place")
        choices = choices.with_columns(places).explode("text", "place")
        said = [
            rows.select("row", "claim", text="answer", right=pl.lit(True)),
            rows.select("row", "claim", text="perturbed_answers", right=pl.lit(False)).explode("text"),
            choices.select("row", "claim", "text", right=(col("place") == col("correct_choice")).fill_null(False)),
        ]
        texts = pl.concat(said)
        return texts.filter(self._pairs.stating(texts, marks) != col("right"))["row"]

    def _unlike_value(self, rows: pl.DataFrame, marks: pl.DataFrame) -> pl.Series:
        """The rows with a cloze that doesn't fit their value, or a paraphrase that doesn't state it."""
        import polars as pl

        clozes = rows.select("row", "claim", text="cloze")
        wrong = clozes.filter(self._pairs.where(clozes, lambda claim, cloze: _fault_of_cloze(cloze, claim) is not None))
        # Other words may say the same as a text.
        said = rows.select("row", "claim", text="answer_paraphrases").explode("text").drop_nulls("text")
        typed = pl.Series([number for number, claim in enumerate(self._listed) if not _is_free(claim)], dtype=pl.UInt32)
        said = said.filter(pl.col("claim").is_in(typed.implode()))
        return pl.concat([wrong["row"], said.filter(~self._pairs.stating(said, marks))["row"]])

    def _true_of_others(self, rows: pl.DataFrame, marks: pl.DataFrame) -> pl.Series:
        """The rows with a wrong answer that states something else that is told of their subject."""
        import polars as pl

        told = rows.select("row", own="claim", told="told").explode("told").join(self._told, on="told")
        told = told.filter(pl.col("told_claim") != pl.col("own"))
        texts = [rows.select("row", text=column).explode("text") for column in ("perturbed_answers", "choices")]
        pairs = told.select("row", claim="told_claim").join(pl.concat(texts), on="row")
        return pairs.filter(self._pairs.stating(pairs, marks))["row"]

    def _of_forms(self, row: Row) -> Iterator[Issue]:
        name, cloze = row["record_id"] or NO_ID, row["cloze"]
        if cloze is not None and cloze.count(BLANK) != 1:
            yield Issue("error", "cloze-blank", name, f"the cloze {cloze!r} must hold one blank, {BLANK!r}.")
            return
        if row["claim"] is None:
            return
        claim = self._listed[row["claim"]]
        if cloze is not None and (fault := _fault_of_cloze(cloze, claim)):
            yield Issue(severity_of(row), fault[0], name, fault[1])
        if not _is_free(claim):
            for text in row["answer_paraphrases"] or ():
                if not claim.is_in(text):
                    message = f"the answer's paraphrase {text!r} doesn't state the value, {claim.value.text!r}."
                    yield Issue(severity_of(row), "paraphrase-not-value", name, message)
            yield from self._true_elsewhere(row, name, claim)
        yield from _repeated(row, name, claim.texts)

    def _true_elsewhere(self, row: Row, name: str, claim: Claim) -> Iterator[Issue]:
        wrong = [*(row["perturbed_answers"] or ())]
        wrong += [text for place, text in enumerate(row["choices"] or ()) if place != row["correct_choice"]]
        for number, record in zip(row["told"] or (), row["tellers"] or (), strict=True):
            told = self._told_by_number[number]
            other = None if told is None else self._listed[told]
            if other is None or other is claim or same_value(claim.value, other.value, claim.texts.attribute):
                continue
            for text in wrong:
                if other.is_in(text):
                    message = (
                        f"the wrong answer {text!r} states {other.value.text!r}, which record {record} says of the "
                        "subject. Run questions --only all."
                    )
                    yield Issue(severity_of(row), "wrong-answer-true", name, message)


def _of_own_value(row: Row, claim: Claim) -> Iterator[Issue]:
    """Where the value stands and shouldn't, and the other way round."""
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


def _is_free(claim: Claim) -> bool:
    """Whether it is a free text: what is true of one sentence is wrong in another."""
    return claim.value.kind == "text"


def _fault_of_cloze(cloze: str, claim: Claim) -> tuple[str, str] | None:
    """What is wrong with a cloze, as code and sentence; null if nothing is."""
    value = claim.value
    if claim.is_in(cloze):
        return "cloze-tells", f"the cloze {cloze!r} tells the value, {value.text!r}, beside the blank."
    said = (value.text, value_text(value, claim.texts.attribute))
    if not any(claim.is_in(cloze.replace(BLANK, text)) for text in said):
        return "cloze-not-value", f"the cloze {cloze!r} doesn't state the value when it is filled in, {value.text!r}."
    return None


def _repeated(row: Row, name: str, texts: Texts) -> Iterator[Issue]:
    for text in texts.repeated([text for text in row["choices"] or () if text is not None]):
        yield Issue("warning", "choice-repeated", name, f"two choices say the same: {text!r}.")
