"""Are the further forms of the questions right: wrong answers wrong, clozes and paraphrases about the value."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.checks._base import NO_ID, CheckedDataset, severity_of
from offside_data.checks._stated import Claim, Claims, Texts, claims_of
from offside_data.checks.questions import normalised, normalised_of, same_answer
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.questions.phrasings import BLANK, value_text
from offside_data.tagging.values import same_value

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
    """What is true of subjects, each somewhere, where that is several values of an attribute.

    Returns:
        By subject and attribute the numbers of the values, `told`, each with a record that says so, `tellers`; and
        the values, with their attributes, by number.
    """
    import polars as pl

    col, taxonomy = pl.col, checked.dataset.taxonomy
    kinds = pl.DataFrame(
        [(name, taxonomy[name].kind) for name in taxonomy.names()], ["attribute", "kind"], orient="row"
    )
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

    forms, size = _Forms(claims_of(dataset.taxonomy), values), 0
    issues: list[Issue] = []
    asked = [pl.DataFrame(schema={"row": pl.UInt32, "words": pl.UInt64})]
    for batch in dataset.batches(part, _COLUMNS, [file]):
        rows = batch.join(told, on=("subject_id", "attribute"), how="left", maintain_order="left")
        for row in rows.drop("question", "question_paraphrases").iter_rows(named=True):
            issues += forms.check(row)
        numbered = batch.with_row_index("row", offset=size)
        further = numbered.filter(pl.col("question_paraphrases").list.len() > 0)
        further = further.select("row", text="question_paraphrases").explode("text")
        texts = pl.concat([numbered.select("row", text=pl.col("question").fill_null("")), further])
        asked.append(texts.select("row", words=normalised_of("text").hash()).unique())
        size += len(batch)
    return part, size, issues, pl.concat(asked)


class _Forms:
    def __init__(self, claims: Claims, values: pl.DataFrame) -> None:
        self._claims = claims
        self._other = functools.cache(lambda number: claims.of(values.row(number, named=True)))

    def check(self, row: Row) -> Iterator[Issue]:
        name, cloze = row["record_id"] or NO_ID, row["cloze"]
        if cloze is not None and cloze.count(BLANK) != 1:
            yield Issue("error", "cloze-blank", name, f"the cloze {cloze!r} must hold one blank, {BLANK!r}.")
            return
        claim = self._claims.of(row)
        if claim is None:
            return
        if cloze is not None:
            yield from _cloze(row, name, claim)
        # Other words may say the same as a text, and what is true of one sentence is wrong in another.
        if claim.value.kind != "text":
            for text in row["answer_paraphrases"] or ():
                if not claim.is_in(text):
                    message = f"the answer's paraphrase {text!r} doesn't state the value, {claim.value.text!r}."
                    yield Issue(severity_of(row), "paraphrase-not-value", name, message)
            yield from self._true_elsewhere(row, name, claim)
        yield from _repeated(row, name, claim.texts)

    def _true_elsewhere(self, row: Row, name: str, claim: Claim) -> Iterator[Issue]:
        if row["told"] is None:
            return
        wrong = [*(row["perturbed_answers"] or ())]
        wrong += [text for place, text in enumerate(row["choices"] or ()) if place != row["correct_choice"]]
        read = [(text, claim.texts.marks(text)) for text in wrong if text]
        for number, record in zip(row["told"], row["tellers"], strict=True):
            other = self._other(number)
            if other is None or other is claim:
                continue
            for text, marks in read:
                if not other.may_be_in(marks) or not other.is_in(text):
                    continue
                if not same_value(claim.value, other.value, claim.texts.attribute):
                    message = (
                        f"the wrong answer {text!r} states {other.value.text!r}, which record {record} says of the "
                        "subject. Run questions --only all."
                    )
                    yield Issue(severity_of(row), "wrong-answer-true", name, message)


def _cloze(row: Row, name: str, claim: Claim) -> Iterator[Issue]:
    cloze, value = row["cloze"], claim.value
    if claim.is_in(cloze):
        message = f"the cloze {cloze!r} tells the value, {value.text!r}, beside the blank."
        yield Issue(severity_of(row), "cloze-tells", name, message)
        return
    said = (value.text, value_text(value, claim.texts.attribute))
    if not any(claim.is_in(cloze.replace(BLANK, text)) for text in said):
        message = f"the cloze {cloze!r} doesn't state the value when it is filled in, {value.text!r}."
        yield Issue(severity_of(row), "cloze-not-value", name, message)


def _repeated(row: Row, name: str, texts: Texts) -> Iterator[Issue]:
    for text in texts.repeated([text for text in row["choices"] or () if text is not None]):
        yield Issue("warning", "choice-repeated", name, f"two choices say the same: {text!r}.")


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
