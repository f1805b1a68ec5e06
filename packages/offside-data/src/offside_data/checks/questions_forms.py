"""Are the further forms of the questions right: wrong answers wrong, clozes and paraphrases about the value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.checks._base import NO_ID, CheckedDataset, severity_of
from offside_data.checks._pairs import ROWS, ClaimPairs, pairs_of
from offside_data.checks.questions import normalised, normalised_of, same_answer
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.issues import Issue
from offside_data.questions.phrasings import BLANK, value_text
from offside_data.tagging.claims import Claim, Texts
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

    forms, size = _Forms(pairs_of(dataset.taxonomy), values), 0
    issues: list[Issue] = []
    asked = [pl.DataFrame(schema={"row": pl.UInt32, "words": pl.UInt64})]
    for batch in dataset.batches(part, _COLUMNS, [file], ROWS):
        rows = batch.join(told, on=("subject_id", "attribute"), how="left", maintain_order="left")
        issues += forms.issues(rows.drop("question", "question_paraphrases"))
        numbered = batch.with_row_index("row", offset=size)
        further = numbered.filter(pl.col("question_paraphrases").list.len() > 0)
        further = further.select("row", text="question_paraphrases").explode("text")
        texts = pl.concat([numbered.select("row", text=pl.col("question").fill_null("")), further])
        asked.append(texts.select("row", words=normalised_of("text").hash()).unique())
        size += len(batch)
    return part, size, issues, pl.concat(asked)


class _Forms:
    """Looks at the forms of records.

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
        """What is wrong, record by record; only those are looked at that columns leave open."""
        import polars as pl

        rows = rows.with_columns(self._pairs.numbers(rows)).with_row_index("row")
        claimed = rows.drop_nulls("claim")
        odd = rows.filter(pl.col("cloze").str.count_matches(BLANK, literal=True) != 1)["row"]
        suspects = [odd, self._unlike_value(claimed), self._true_of_others(claimed), self._pairs.repeating(claimed)]
        for row in rows[pl.concat(suspects).unique().sort()].drop("row").iter_rows(named=True):
            yield from self._of_record(row)

    def _unlike_value(self, rows: pl.DataFrame) -> pl.Series:
        """The rows with a cloze that doesn't fit their value, or a paraphrase that doesn't state it."""
        import polars as pl

        clozes = rows.select("row", "claim", text="cloze")
        wrong = clozes.filter(self._pairs.where(clozes, lambda claim, cloze: _fault_of_cloze(cloze, claim) is not None))
        # Other words may say the same as a text.
        said = rows.select("row", "claim", text="answer_paraphrases").explode("text").drop_nulls("text")
        typed = pl.Series([number for number, claim in enumerate(self._listed) if not _is_free(claim)], dtype=pl.UInt32)
        said = said.filter(pl.col("claim").is_in(typed.implode()))
        return pl.concat([wrong["row"], said.filter(~self._pairs.stating(said))["row"]])

    def _true_of_others(self, rows: pl.DataFrame) -> pl.Series:
        """The rows with a wrong answer that states something else that is told of their subject."""
        import polars as pl

        told = rows.select("row", own="claim", told="told").explode("told").join(self._told, on="told")
        told = told.filter(pl.col("told_claim") != pl.col("own"))
        texts = [rows.select("row", text=column).explode("text") for column in ("perturbed_answers", "choices")]
        pairs = told.select("row", claim="told_claim").join(pl.concat(texts), on="row")
        return pairs.filter(self._pairs.stating(pairs))["row"]

    def _of_record(self, row: Row) -> Iterator[Issue]:
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
    # Hashes alone: there are some four texts a record.
    places = checked.records.select("part", "row", col("answer").hash(), about=pl.struct(config, about).hash())
    places = asked.join(places, on=["part", "row"])
    places = places.select("part", "row", "answer", same=pl.struct("about", "words").hash())
    doubtful = places.filter(col("answer").min().over("same") != col("answer").max().over("same"))
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
