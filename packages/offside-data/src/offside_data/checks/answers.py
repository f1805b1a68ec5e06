"""Do answer, value and further forms fit together: wrong answers wrong, the other forms about the value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.checks._base import CheckedDataset, Files, batches_of, severity_of
from offside_data.checks._forms import READ, CheckedForms
from offside_data.checks._pairs import ROWS, pairs_of
from offside_data.checks.questions import normalised, normalised_of, same_answer
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.issues import Issue

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = (*READ, "subject_id", "question", "question_paraphrases")


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look for true values among the wrong answers, and for answers and forms that don't state their value."""
    import polars as pl

    asked = []
    starts: dict[str, int] = defaultdict(int)
    for files, (issues, words) in checked.together(_in_files, *_told(checked)):
        yield from issues
        places = []
        for number, (part, _, size) in enumerate(files):
            places.append((number, part, starts[part]))
            starts[part] += size
        schema = {"file": pl.UInt32, "part": pl.Categorical, "start": pl.UInt32}
        words = words.join(pl.DataFrame(places, schema, orient="row"), on="file")
        asked.append(words.select("part", pl.col("row") + pl.col("start"), "words"))
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


def _in_files(
    dataset: OffsideDataset, files: Files, told: pl.DataFrame, values: pl.DataFrame
) -> tuple[list[Issue], pl.DataFrame]:
    """What is wrong with the forms of the records of files; and hashes of the words that their rows ask in."""
    import polars as pl

    forms = CheckedForms(pairs_of(dataset.taxonomy), values)
    issues: list[Issue] = []
    asked = [pl.DataFrame(schema={"file": pl.UInt32, "row": pl.UInt32, "words": pl.UInt64})]
    for batch in batches_of(dataset, files, _COLUMNS, ROWS):
        rows = batch.join(told, on=("subject_id", "attribute"), how="left", maintain_order="left")
        issues += forms.issues(rows.drop("file", "row", "subject_id", "question", "question_paraphrases"))
        further = batch.filter(pl.col("question_paraphrases").list.len() > 0)
        further = further.select("file", "row", text="question_paraphrases").explode("text")
        texts = pl.concat([batch.select("file", "row", text=pl.col("question").fill_null("")), further])
        asked.append(texts.select("file", "row", words=normalised_of("text").hash()).unique())
    return issues, pl.concat(asked)


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
