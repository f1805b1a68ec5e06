"""Are the further forms of the questions right: wrong answers wrong, clozes and paraphrases about the value."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.checks._base import NO_ID, CheckedDataset, severity_of
from offside_data.checks._stated import Claim, Claims
from offside_data.checks.questions import normalised, normalised_of, same_answer
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.questions.phrasings import BLANK, value_text
from offside_data.schema import ClaimValue
from offside_data.tagging.values import find_values, same_value
from offside_data.taxonomy import Attribute

if TYPE_CHECKING:
    import polars as pl

_FORMS = ("question", "question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices", "correct_choice")
_COLUMNS = ("record_id", "subject_id", "attribute", "value", "cloze", "suspect", *_FORMS)


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look at paraphrases, wrong answers and clozes of every record; its own value among the wrong ones: `answers`."""
    import polars as pl

    asked = []
    starts: dict[str, int] = defaultdict(int)
    for part, size, issues, words in checked.map(_in_file, *_told(checked)):
        yield from issues
        asked.append(words.select(pl.lit(part, pl.Categorical).alias("part"), pl.col("row") + starts[part], "words"))
        starts[part] += size
    if asked:
        yield from _conflicts(checked, pl.concat(asked))


def _told(checked: CheckedDataset) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is true of a subject somewhere, where that is several values: by subject and attribute the numbers of its
    values, each with a record that says so; and the values.
    """
    import polars as pl

    col, taxonomy = pl.col, checked.dataset.taxonomy
    kinds = pl.DataFrame([(name, taxonomy[name].kind) for name in taxonomy.names()], ["attribute", "kind"], orient="row")
    # What is doubtful itself makes no other answer true.
    told = checked.records.filter(col("suspect").is_null(), col("subject_id").is_not_null(), col("value").is_not_null())
    told = told.select("subject_id", col("attribute").cast(pl.String), "value", "record_id").join(
        kinds, on="attribute", maintain_order="left"
    )
    told = told.filter(col("value").struct.field("kind") == col("kind"))
    told = told.unique(["subject_id", "attribute", "value"], keep="first", maintain_order=True)
    told = told.filter(pl.len().over("subject_id", "attribute") > 1)
    told = told.with_columns((pl.struct("attribute", "value").rank("dense") - 1).alias("number"))
    values = told.select("attribute", "value", "number").unique("number").sort("number")
    by_subject = told.group_by("subject_id", "attribute", maintain_order=True).agg("number", "record_id")
    return by_subject.rename({"number": "told", "record_id": "tellers"}), values


def _in_file(
    dataset: OffsideDataset, part: str, file: Path, told: pl.DataFrame, values: pl.DataFrame
) -> tuple[str, int, list[Issue], pl.DataFrame]:
    """What is wrong with the forms of the records of a file; and hashes of the words that its rows ask in."""
    import polars as pl

    forms, size, issues, asked = _Forms(Claims(dataset.taxonomy), values), 0, [], []
    for batch in dataset.batches(part, _COLUMNS, [file]):
        rows = batch.join(told, on=("subject_id", "attribute"), how="left", maintain_order="left")
        for row in rows.drop("question", "question_paraphrases").iter_rows(named=True):
            issues += forms.check(row)
        numbered = batch.with_row_index("row", offset=size)
        asked.append(numbered.select("row", pl.col("question").fill_null("").alias("text")))
        further = numbered.filter(pl.col("question_paraphrases").list.len() > 0)
        asked.append(further.select("row", pl.col("question_paraphrases").alias("text")).explode("text"))
        asked[-2:] = [pl.concat(asked[-2:]).select("row", normalised_of("text").hash().alias("words")).unique()]
        size += len(batch)
    nothing = pl.DataFrame(schema={"row": pl.UInt32, "words": pl.UInt64})
    return part, size, issues, pl.concat([nothing, *asked])


class _Forms:
    def __init__(self, claims: Claims, values: pl.DataFrame) -> None:
        self._claims, self._states = claims, claims.states
        self._others = functools.cache(lambda number: claims.of(values.row(number, named=True)))

    def check(self, row: Row) -> Iterator[Issue]:
        name, cloze = row["record_id"] or NO_ID, row["cloze"]
        if cloze is not None and cloze.count(BLANK) != 1:
            yield Issue("error", "cloze-blank", name, f"the cloze {cloze!r} must hold one blank, {BLANK!r}.")
            return
        claim = self._claims.of(row)
        if claim is None:
            return
        if cloze is not None:
            yield from self._cloze(row, name, claim)
        # Other words may say the same as a text, and what is true of one sentence is wrong in another.
        if claim.value.kind != "text":
            for text in row["answer_paraphrases"] or ():
                if not self._states(text, claim):
                    message = f"the answer's paraphrase {text!r} doesn't state the value, {claim.value.text!r}."
                    yield Issue(severity_of(row), "paraphrase-not-value", name, message)
            yield from self._true_elsewhere(row, name, claim)
        yield from self._repeated(row, name, claim.attribute)

    def _cloze(self, row: Row, name: str, claim: Claim) -> Iterator[Issue]:
        cloze, value = row["cloze"], claim.value
        if self._states(cloze, claim):
            message = f"the cloze {cloze!r} tells the value, {value.text!r}, beside the blank."
            yield Issue(severity_of(row), "cloze-tells", name, message)
            return
        said = (value.text, value_text(value, claim.attribute))
        if not any(self._states(cloze.replace(BLANK, text), claim) for text in said):
            message = f"the cloze {cloze!r} doesn't state the value when it is filled in, {value.text!r}."
            yield Issue(severity_of(row), "cloze-not-value", name, message)

    def _true_elsewhere(self, row: Row, name: str, claim: Claim) -> Iterator[Issue]:
        wrong = [*(row["perturbed_answers"] or ())]
        wrong += [text for place, text in enumerate(row["choices"] or ()) if place != row["correct_choice"]]
        for number, record in zip(row["told"] or (), row["tellers"] or (), strict=True):
            other = self._others(number)
            if other is claim:
                continue
            for text in wrong:
                if self._states(text, other) and not same_value(claim.value, other.value, claim.attribute):
                    message = (
                        f"the wrong answer {text!r} states {other.value.text!r}, which record {record} says of the "
                        "subject. Run questions --only all."
                    )
                    yield Issue(severity_of(row), "wrong-answer-true", name, message)

    def _repeated(self, row: Row, name: str, attribute: Attribute) -> Iterator[Issue]:
        seen: list[ClaimValue] = []
        for text in row["choices"] or ():
            found = find_values(text, attribute)
            value = found[0] if len(found) == 1 else ClaimValue(kind=attribute.kind, text=text)
            if any(same_value(value, other, attribute) for other in seen):
                yield Issue("warning", "choice-repeated", name, f"two choices say the same: {text!r}.")
            seen.append(value)


def _conflicts(checked: CheckedDataset, asked: pl.DataFrame) -> Iterator[Issue]:
    """Paraphrases in which another record, of the same picture or in the text form, asks for another answer.

    Args:
        checked: The dataset.
        asked: `part`, `row` and a hash of each of the words that it asks in.
    """
    import polars as pl

    col, taxonomy = pl.col, checked.dataset.taxonomy
    config = col("part").cast(pl.String).str.split("/").list.first().alias("config")
    about = pl.when(config == "multimodal").then(pl.coalesce("picture_sha256", "image_id")).alias("about")
    places = checked.records.select("part", "row", "answer", config, about)
    same = pl.struct("config", "about", "words")
    doubtful = asked.join(places, on=["part", "row"]).filter(col("answer").n_unique().over(same) > 1)
    several = checked.records.join(doubtful, on=["part", "row"], how="semi", maintain_order="left")
    groups: dict[tuple[str | None, ...], dict[str, Row]] = defaultdict(dict)
    for row in checked.whole(several.with_columns(config, about), "question_paraphrases"):
        for text in (row["question"], *(row["question_paraphrases"] or ())):
            groups[row["config"], row["about"], normalised(text)][row["record_id"]] = row
    for (*_, words), rows in groups.items():
        first, *others = rows.values()
        if not all(same_answer(first, other, taxonomy) for other in others):
            for row in rows.values():
                # Where both ask it in these words, `questions` says so.
                if normalised(row["question"]) != words:
                    message = f"its paraphrase {words!r} asks for other answers too: {', '.join(rows)}."
                    yield Issue(severity_of(row), "paraphrase-conflict", row["record_id"], message)
