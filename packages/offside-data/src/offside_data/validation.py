"""Whether one record keeps to the data model; `offside_data.check` looks at records side by side."""

from __future__ import annotations

import datetime
import functools
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.errors import RecordError
from offside_data.schema import (
    SUBJECTLESS_SPLITS,
    Modality,
    Record,
    RumorChannel,
    Scope,
    Split,
    Tier,
    ValueKind,
    Veracity,
)
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

IMAGE_TOKEN = "<image>"

_WORDS = {
    "modality": Modality,
    "split": Split,
    "scope": Scope,
    "veracity": Veracity,
    "rumor_channel": RumorChannel,
}
_REQUIRED = ("record_id", "modality", "split", "veracity", "rumor_channel", "question", "answer")
_LISTS = (
    "question_paraphrases",
    "answer_paraphrases",
    "perturbed_answers",
    "choices",
    "sources",
    "annotations",
)
_TEXT_LISTS = _LISTS[:4]


def validate_record(record: Record, taxonomy: Taxonomy) -> None:
    """Check one record by itself. A picture that isn't there (`--without-images`) is no error here.

    Raises:
        RecordError: Naming the record, everything that is wrong with it and what is allowed.
    """
    problems = list(_problems(record, taxonomy))
    if problems:
        raise RecordError(f"record {record.record_id}: {' '.join(problems)}")


def require_valid_rows(rows: pl.DataFrame, taxonomy: Taxonomy) -> None:
    """Check many records as `validate_record` does one; their pictures are looked at only as there or not.

    Raises:
        RecordError: Naming the first record that isn't sound.
    """
    for record_id, problems in frame_problems(rows, taxonomy):
        raise RecordError(f"record {record_id}: {' '.join(problems)}")


def frame_problems(rows: pl.DataFrame, taxonomy: Taxonomy) -> Iterator[tuple[str | None, list[str]]]:
    """The id of each record that isn't sound, and what is wrong with it, in the order of the rows.

    Rows that are plainly sound are told by their columns; only the others become Python objects.
    """
    for row in rows.filter(~_plainly_sound(rows.columns, taxonomy)).iter_rows(named=True):
        problems = row_problems({**row, "image": row["image"] and {"bytes": b"", "path": ""}}, taxonomy)
        if problems:
            yield row["record_id"], problems


def row_problems(row: Mapping[str, Any], taxonomy: Taxonomy) -> list[str]:
    """Everything that is wrong with a record as it lies in a file, where any field may be null."""
    nulls = [field for field in (*_REQUIRED, *_LISTS) if row[field] is None]
    nulls += [f"{field} (an item)" for field in _LISTS if row[field] and None in row[field]]
    nulls += [f"value.{key}" for key in ("kind", "text") if row["value"] and row["value"][key] is None]
    if nulls:
        return [f"{', '.join(nulls)} may not be null."]
    return list(_problems(Record.from_row(row), taxonomy))


def _problems(record: Record, taxonomy: Taxonomy) -> Iterator[str]:
    if not record.record_id.strip():
        yield "it has no record_id; see schema.make_record_id."
    yield from _word_problems(record)
    yield from _text_problems(record)
    yield from _subject_problems(record, taxonomy)
    yield from _value_problems(record)
    yield from _choice_problems(record)
    if record.modality == "text" and record.image is not None:
        yield "a text record has no picture (it keeps image_id); drop the image or make it multimodal."
    if record.modality == "multimodal" and record.image_id is None:
        yield "a multimodal record needs the image_id of its picture."
    if record.rumor_channel != "none" and record.veracity != "rumor":
        yield f"rumor_channel is {record.rumor_channel!r}, but only rumors have one, not a {record.veracity}."
    role = (record.split, record.scope, record.veracity)
    if record.corrects is not None and role != ("relearn", "private", "correction"):
        yield "corrects is for private corrections of the relearn split only."


def _word_problems(record: Record) -> Iterator[str]:
    words = [(field, getattr(record, field), hint) for field, hint in _WORDS.items()]
    words += [("sources.tier", source.tier, Tier) for source in record.sources]
    if record.value is not None:
        words.append(("value.kind", record.value.kind, ValueKind))
    for field, word, hint in words:
        allowed = typing.get_args(hint)
        if word not in allowed and not (field == "scope" and word is None):
            yield f"{field} is {word!r}; allowed: {', '.join(allowed)}."


def _text_problems(record: Record) -> Iterator[str]:
    for field in ("question", "answer"):
        if not getattr(record, field).strip():
            yield f"{field} is empty; every record needs a question and an answer."
    texts = [("question", record.question), ("answer", record.answer), ("cloze", record.cloze or "")]
    for field in _TEXT_LISTS:
        texts += [(field, text) for text in getattr(record, field)]
        if not all(text.strip() for text in getattr(record, field)):
            yield f"{field} holds an empty text."
    for field, text in texts:
        if IMAGE_TOKEN in text:
            yield f"{field} holds a literal {IMAGE_TOKEN}, which is for chat templates to add: {text!r}."
        if text.strip() and text != " ".join(text.split()):
            yield f"{field} has stray blanks or line breaks: {text!r}; keep the original in source_record."


def _subject_problems(record: Record, taxonomy: Taxonomy) -> Iterator[str]:
    fields = {field: getattr(record, field) for field in ("subject_id", "attribute", "scope")}
    if record.split in SUBJECTLESS_SPLITS:
        given = [field for field, value in fields.items() if value is not None]
        if given:
            yield f"split {record.split!r} has nothing to do with a subject: {', '.join(given)} must be null."
        return
    missing = [field for field, value in fields.items() if value is None]
    if missing:
        yield f"{', '.join(missing)} may be null only in the splits {', '.join(SUBJECTLESS_SPLITS)}."
    if record.attribute is None:
        return
    if record.attribute not in taxonomy:
        yield (
            f"attribute {record.attribute!r} isn't in the taxonomy {taxonomy.name!r}, which has "
            f"{', '.join(taxonomy.names())}. Add it to taxonomy.yaml or correct the record."
        )
        return
    attribute = taxonomy[record.attribute]
    if record.scope not in (None, attribute.scope):
        yield f"scope is {record.scope!r}, but the taxonomy says {record.attribute!r} is {attribute.scope!r}."
    if record.value is not None and record.value.kind != attribute.kind:
        yield f"value.kind is {record.value.kind!r}, but {record.attribute!r} is a {attribute.kind!r}."


def _value_problems(record: Record) -> Iterator[str]:
    value = record.value
    if value is None:
        return
    if value.number is not None and not math.isfinite(value.number):
        yield f"value.number is {value.number}; it must be finite or null."
    if value.date is not None:
        try:
            datetime.date.fromisoformat(value.date)
        except ValueError:
            yield f"value.date is {value.date!r}; write YYYY-MM-DD."


def _choice_problems(record: Record) -> Iterator[str]:
    choices, correct = record.choices, record.correct_choice
    if (correct is None) != (not choices):
        yield "choices and correct_choice go together: give both or neither."
    elif correct is not None and not 0 <= correct < len(choices):
        yield f"correct_choice is {correct}, but there are {len(choices)} choices, counted from 0."
    if choices and (len(choices) < 2 or len({c.casefold() for c in choices}) < len(choices)):
        yield f"choices must be at least two different texts, got {list(choices)}."
    if record.answer.casefold() in {a.casefold() for a in record.perturbed_answers}:
        yield f"the true answer stands among perturbed_answers: {record.answer!r}."


# ---------------------------------------------------------------------------------------------
# Many at once

_STRAY = r"[^\S ]|  |^ | $|[\x1c-\x1f]|<image>"
"""What `str.split` takes for a blank that shouldn't be there, or more than that; and the literal token."""


def _plainly_sound(columns: Sequence[str], taxonomy: Taxonomy) -> pl.Expr:
    """Which rows are certainly sound; others may be. It must never be true of a row that has a problem."""
    import polars as pl

    col = pl.col
    allowed = {field: list(typing.get_args(hint)) for field, hint in _WORDS.items()}
    sound = [
        col("record_id").str.contains(r"\S"),
        *(col(field).is_in(allowed[field]) for field in ("modality", "split", "veracity", "rumor_channel")),
        *(_clean(col(field)) & (col(field) != "") for field in ("question", "answer")),
        _clean(col("cloze")) | col("cloze").is_null(),
        *(_clean_list(col(field)) for field in _TEXT_LISTS),
        _sound_subject(taxonomy),
        _sound_value(taxonomy),
        _sound_choices(),
        col("image").is_null() | (col("modality") == "multimodal"),
        col("image_id").is_not_null() | (col("modality") == "text"),
        (col("rumor_channel") == "none") | (col("veracity") == "rumor"),
        col("corrects").is_null()
        | ((col("split") == "relearn") & (col("scope") == "private") & (col("veracity") == "correction")),
        col("sources").list.eval(_is_tier(pl.element().struct.field("tier"))).list.all(),
        col("annotations").list.eval(pl.element().is_not_null()).list.all(),
    ]
    return pl.all_horizontal(expression.fill_null(False) for expression in sound)


def _is_tier(word: pl.Expr) -> pl.Expr:
    return word.is_in(list(typing.get_args(Tier))).fill_null(False)  # `all` passes nulls over.


def _clean(text: pl.Expr) -> pl.Expr:
    return ~text.str.contains(_STRAY)


def _clean_list(texts: pl.Expr) -> pl.Expr:
    """Joined, so that one look at a row is enough; an item's own bar makes a sound row look odd, which is no harm."""
    joined = texts.list.join("|", ignore_nulls=False)
    odd = joined.str.contains(rf"{_STRAY}|\| | \||\|\||^\||\|$")
    return (texts.list.len() == 0) | ((joined != "") & ~odd)


def _sound_subject(taxonomy: Taxonomy) -> pl.Expr:
    import polars as pl

    col = pl.col
    scopes = {name: taxonomy[name].scope for name in taxonomy.names()}
    about_nobody = col("split").is_in(list(SUBJECTLESS_SPLITS))
    none_given = pl.all_horizontal(col(field).is_null() for field in ("subject_id", "attribute", "scope"))
    stated = col("attribute").replace_strict(scopes, default=None, return_dtype=pl.String)
    return pl.when(about_nobody).then(none_given).otherwise(col("subject_id").is_not_null() & (col("scope") == stated))


def _sound_value(taxonomy: Taxonomy) -> pl.Expr:
    import polars as pl

    value = pl.col("value").struct.field
    kinds = {name: taxonomy[name].kind for name in taxonomy.names()}
    stated = pl.col("attribute").replace_strict(kinds, default=None, return_dtype=pl.String)
    fits = pl.when(pl.col("attribute").is_null()).then(value("kind").is_in(list(typing.get_args(ValueKind))))
    is_date = value("date").str.contains(r"^\d{4}-\d\d-\d\d$") & value("date").str.to_date(strict=False).is_not_null()
    is_sound = (
        fits.otherwise(value("kind") == stated)
        & value("text").is_not_null()
        & (value("number").is_null() | value("number").is_finite())
        & (value("date").is_null() | is_date)
    )
    return pl.col("value").is_null() | is_sound


def _sound_choices() -> pl.Expr:
    import polars as pl

    choices, correct, wrong = pl.col("choices"), pl.col("correct_choice"), pl.col("perturbed_answers")
    count = choices.list.len().cast(pl.Int64)
    folded = choices.list.eval(pl.element().str.to_lowercase())
    chosen = (correct >= 0) & (correct < count) & (count >= 2) & (folded.list.n_unique().cast(pl.Int64) == count)
    none = correct.is_null() & (count == 0)
    lowered = wrong.list.eval(pl.element().str.to_lowercase())
    repeated = lowered.list.contains(pl.col("answer").str.to_lowercase())
    texts = pl.concat_str(choices.list.join("|"), wrong.list.join("|"), pl.col("answer"), ignore_nulls=True)
    return (none | chosen.fill_null(False)) & ~repeated & ~texts.str.contains(_folded_otherwise())


@functools.cache
def _folded_otherwise() -> str:
    """A pattern of the letters that fold to something else than their small letter; such texts are left to Python."""
    letters = "".join(c for c in map(chr, range(0x80, 0xD800)) if c.casefold() != c.lower())
    return rf"[{letters}\x{{E000}}-\x{{10FFFF}}]"
