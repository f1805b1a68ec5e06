"""Give all records of a dataset folder their text form, paraphrases, wrong answers, choices and cloze."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.dataset.storage import ROWS_PER_BATCH, Row
from offside_data.dataset.transaction import NothingToDo, change_dataset
from offside_data.processes import Workers, worth_sharing
from offside_data.questions import forms as forms_module
from offside_data.questions import text_form as text_form_module
from offside_data.questions.forms import FORMS, Forms, ambiguous_texts, without
from offside_data.questions.text_form import text_form
from offside_data.schema import Record
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

Only = Literal["missing", "all"]
Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QuestionsReport:
    """What `questions` did.

    Args:
        records: How many records are about a subject, after the run.
        there: How many of them have each form.
        made: How many got it, or got it anew with another result.
        text_records: How many text records were added.
        lacking: How often a form can't be made, by form and reason.
    """

    records: int
    there: dict[str, int]
    made: dict[str, int]
    text_records: int
    lacking: dict[tuple[str, str], int]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["lacking"] = [{"form": form, "why": why, "records": n} for (form, why), n in self.lacking.items()]
        return plain


@dataclass
class _Tally:
    """What filling some records came to."""

    records: int = 0
    there: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    lacking: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: _Tally) -> None:
        self.records += other.records
        self.there += other.there
        self.made += other.made
        self.lacking += other.lacking


class _Context(NamedTuple):
    """What every process needs: how forms are made, and whether all of them."""

    forms: Forms
    taxonomy: Taxonomy
    anew: bool


@changes()
def make_questions(folder: str | Path, *, seed: int = 0, only: Only = "missing") -> QuestionsReport:
    """Make the further forms of a dataset's records, in place. The same seed makes the same again.

    Args:
        folder: The dataset.
        seed: Seed of wrong answers and of the order of options.
        only: `missing` fills in what is empty, `all` makes everything anew where it can be made.

    Raises:
        DatasetReferenceError: If there is no such folder.
    """
    import polars as pl

    dataset = open_dataset(folder)
    subjects = dataset.frame("subjects", ["subject_id", "name"]).filter(pl.col("name") != "")
    names = dict(subjects.select("subject_id", "name").iter_rows())
    images = dataset.frame("images", ["image_id", "subject_id", "occasion", "shown"]).to_dicts()
    claims = _claims(dataset)
    occasions = {row["image_id"]: row["occasion"] for row in images}
    sources = (b for part in dataset.record_parts() for b in dataset.batches(part, ["record_id", "sources"]))
    texts = text_form(claims, dataset.taxonomy, sources=sources, names=names, occasions=occasions)
    known = pl.concat([frame.select(forms_module.READ) for frame in (claims, texts.records)])
    forms = Forms(known, dataset.taxonomy, seed=seed, names=names, images=images)
    total = len(known)
    del claims, known
    with Workers(_Context(forms, dataset.taxonomy, only == "all"), worth_sharing(total)) as workers:
        del forms  # Where several processes share the work each has its own.
        ambiguous = _ambiguous_in_text(dataset, texts.records, workers)
        return _fill(dataset, texts, ambiguous, workers, f"questions --only {only} --seed {seed}")


def _claims(dataset: OffsideDataset) -> pl.DataFrame:
    """All records, with the question only where the words of one tell something: of a text record, or a free text."""
    import polars as pl

    free = [attribute.name for attribute in dataset.taxonomy.attributes if attribute.kind == "text"]
    worded = (pl.col("modality") == "text") | pl.col("attribute").is_in(free)
    batches = (b for part in dataset.record_parts() for b in dataset.batches(part, text_form_module.READ))
    return pl.concat([batch.with_columns(pl.when(worded).then("question").alias("question")) for batch in batches])


def _fill(
    dataset: OffsideDataset,
    texts: text_form_module.TextForm,
    ambiguous: frozenset[Words],
    workers: Workers[_Context],
    command: str,
) -> QuestionsReport:
    """Make the forms of all records while they are written."""
    tally, added = _Tally(), len(texts.records)

    def decision() -> Iterator[Row]:
        if not added and not tally.made:
            raise NothingToDo
        counts = {"text records": added, **_in_order(tally.made)}
        why = "made from the taxonomy's phrasings and the values of other subjects"
        yield make_decision("questions", counts, why, command=command)

    def rewrite(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for batch, counted in workers.map(_fill_batch, ((batch, ambiguous) for batch in batches)):
            tally.add(counted)
            yield batch

    with change_dataset(dataset) as change:
        change.rewrite_records(rewrite)
        if added:
            change.add_frame(texts.records)
        change.decide_late(decision)
    return QuestionsReport(
        records=tally.records,
        there={form: tally.there[form] for form in FORMS},
        made=_in_order(tally.made),
        text_records=added,
        lacking={**{("text form", why): n for why, n in texts.lacking.items()}, **tally.lacking},
    )


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {form: counts[form] for form in FORMS if counts[form]}


_FILLED = (*forms_module.READ, "veracity", "split", *FORMS, "correct_choice")
"""Columns that forms are made of, or that they are."""


def _fill_batch(context: _Context, item: tuple[pl.DataFrame, frozenset[Words]]) -> tuple[pl.DataFrame, _Tally]:
    """A batch whose records have their forms; it holds all records about each of its pictures.

    Args:
        context: How.
        item: The batch, and what of the text form asks for several answers.
    """
    batch, of_texts = item
    store = PictureStore()
    before = records_of(batch.select(_FILLED), store)
    context.forms.lacking.clear()
    filled = [context.forms.fill(record, anew=context.anew) for record in before]
    by_picture = itertools.groupby(filled, key=lambda r: r.image_id if r.modality == "multimodal" else None)
    after: list[Record] = []
    for picture, group in by_picture:
        records = list(group)
        ambiguous = of_texts
        if picture is not None:
            asked = [(record, (record.question, *record.question_paraphrases)) for record in records]
            ambiguous = ambiguous_texts(asked, context.taxonomy)
        after += [without(record, ambiguous) for record in records] if ambiguous else records
    tally = _tally(before, after)
    tally.lacking.update(context.forms.lacking)
    if not tally.made:
        return batch, tally
    columns = ["record_id", *FORMS, "correct_choice"]
    made = frame_of(after, "text", store, columns)
    return batch.with_columns(made.drop("record_id").get_columns()).select(batch.columns), tally


def _tally(before: list[Record], after: list[Record]) -> _Tally:
    tally = _Tally()
    for old, new in zip(before, after, strict=True):
        made = [form for form in FORMS if getattr(old, form) != getattr(new, form)]
        tally.made.update(made)
        if new.attribute is not None:
            tally.records += 1
            tally.there.update(form for form in FORMS if getattr(new, form))
    return tally


# ---------------------------------------------------------------------------------------------
# The text form's ambiguous questions


_ASKED = (*forms_module.READ, "question_paraphrases")


def _ambiguous_in_text(dataset: OffsideDataset, new: pl.DataFrame, workers: Workers[_Context]) -> frozenset[Words]:
    """What several text records ask in the same words although their answers differ, once all have their forms."""
    import polars as pl

    parts = [part for part in dataset.record_parts() if part.startswith("text/")]
    texts = pl.concat([*(dataset.frame(part, _ASKED).select(_ASKED) for part in parts), new.select(_ASKED)])
    slices = texts.iter_slices(ROWS_PER_BATCH)
    asked = pl.concat([pl.Series(dtype=pl.List(pl.UInt64)), *workers.map(_hash_texts, slices)])
    each = pl.DataFrame({"row": range(len(texts)), "asked": asked}, schema_overrides={"row": pl.UInt32}).explode(
        "asked"
    )
    several = each.filter(pl.col("asked").is_duplicated())["row"].unique().sort()
    few = texts[several.to_list()]
    told = itertools.chain.from_iterable(workers.map(_texts_of, few.iter_slices(ROWS_PER_BATCH)))
    return ambiguous_texts(zip(records_of(few, PictureStore()), told, strict=True), dataset.taxonomy)


def _texts_of(context: _Context, rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """Of each record, the texts that will ask for its answer."""
    return [context.forms.texts_of(record, anew=context.anew) for record in records_of(rows, PictureStore())]


def _hash_texts(context: _Context, rows: pl.DataFrame) -> pl.Series:
    """Of each record, hashes of the different texts that will ask for its answer, as folded words."""
    import polars as pl

    hashes = []
    for record in records_of(rows, PictureStore()):
        words = {" ".join(folded_words(text)) for text in context.forms.texts_of(record, anew=context.anew)}
        hashes.append([int.from_bytes(hashlib.blake2b(w.encode(), digest_size=8).digest()) for w in sorted(words)])
    return pl.Series(hashes, dtype=pl.List(pl.UInt64))
