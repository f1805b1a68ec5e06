"""What the texts of many records say: each distinct one is read once, by two processes if there are many."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, NamedTuple

from offside_data.dataset.storage import frame_schema
from offside_data.processes import Workers, worth_sharing
from offside_data.schema import ClaimValue
from offside_data.tagging.attributes import Reading, Rules
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import answer_may_say, parse_value
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

_SLICE = 5_000
"""Texts that a process reads at once."""


class Readings(NamedTuple):
    """What records seem to be about, and whether they state a value.

    Args:
        rows: Of each record, `reading`: the place in `kinds` of what its words say, null where they can't say but
            what its attribute is; and `stated`: whether its answer states its value or, where that is null, any.
        kinds: The different readings.
    """

    rows: pl.DataFrame
    kinds: list[Reading]


def read_texts(claims: pl.DataFrame, taxonomy: Taxonomy) -> Readings:
    """Read the questions and answers of records.

    Args:
        claims: Records with the columns `question`, `answer`, `attribute`, `value`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    rows = claims.select("question", "answer", "attribute", "value").with_row_index("row")
    questions = rows.select("question").unique(maintain_order=True)
    answers = rows.group_by("answer", "attribute", "value").agg("row").group_by("answer").agg(pl.all())
    with Workers(taxonomy, worth_sharing(len(questions) + len(answers))) as workers:
        asked = pl.concat(workers.map(_asked, questions.iter_slices(_SLICE)))
        told = pl.concat(workers.map(_told, answers.drop("row").iter_slices(_SLICE)))
        answers = answers.with_columns(told)
        unclear = _unclear(rows, questions.with_columns(asked), answers, taxonomy)
        left = unclear.select("answer").unique()
        readable = pl.concat([pl.Series(dtype=pl.String), *workers.map(_readable, left.iter_slices(_SLICE))])
    signs = ["asked", "told", "readable"]
    unclear = unclear.join(left.with_columns(readable.alias("readable")), on="answer")
    kinds = unclear.select(signs).unique(maintain_order=True).with_row_index("reading")
    read = unclear.join(kinds, on=signs).select("row", "reading").explode("row")
    stated = answers.select("row", "stated").explode("row", "stated").explode("row")
    rules = Rules(taxonomy)
    return Readings(
        stated.join(read, on="row", how="left").sort("row").select("reading", "stated"),
        [
            rules.decide(frozenset(asked.split()), frozenset(told.split()), tuple(names.splitlines()))
            for asked, told, names in kinds.select(signs).iter_rows()
        ],
    )


def _unclear(rows: pl.DataFrame, questions: pl.DataFrame, answers: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """Questions with answers, and their rows, that may be about something else than their attribute says."""
    import polars as pl

    # Anything may be said of a free text.
    named = [UNTAGGED.name, *(a.name for a in taxonomy.attributes if a.kind != "text")]
    own = answers.select("answer", "told", "attribute", "is_readable").explode("attribute", "is_readable")
    pairs = (
        rows.filter(pl.col("attribute").is_in(named))
        .group_by("question", "answer", "attribute")
        .agg("row")
        .join(questions, on="question")
        .join(own.unique(["answer", "attribute"]), on=["answer", "attribute"])
    )
    signs = pairs.select("attribute", "asked", "told").unique()
    rules = Rules(taxonomy)
    is_sure = [
        name != UNTAGGED.name and rules.are_those_of(name, frozenset(asked.split()), frozenset(told.split()))
        for name, asked, told in signs.iter_rows()
    ]
    pairs = pairs.join(signs.with_columns(pl.Series("is_sure", is_sure, pl.Boolean)), on=signs.columns)
    return pairs.filter(~(pl.col("is_sure") & pl.col("is_readable")))


@functools.lru_cache(maxsize=1)
def _rules(taxonomy: Taxonomy) -> Rules:
    return Rules(taxonomy)


def _asked(taxonomy: Taxonomy, questions: pl.DataFrame) -> pl.Series:
    """The keywords of questions, as one text each."""
    import polars as pl

    rules = _rules(taxonomy)
    return pl.Series("asked", [" ".join(sorted(rules.asked(text))) for text in questions["question"]], pl.String)


def _told(taxonomy: Taxonomy, answers: pl.DataFrame) -> pl.DataFrame:
    """The keywords of answers, and of each attribute and value that one stands with, what it says of them.

    `is_readable`: whether a value of the attribute is; `stated`: whether the value is, null standing for any.
    """
    import polars as pl

    rules = _rules(taxonomy)
    told, readable, stated = [], [], []
    for answer, attributes, values in answers.select("answer", "attribute", "value").iter_rows():
        told.append(" ".join(sorted(rules.told(answer))))
        found = [None if name in (None, UNTAGGED.name) else parse_value(answer, taxonomy[name]) for name in attributes]
        readable.append([value is not None for value in found])
        stated.append(
            [
                value is not None if gold is None else _states(answer, name, ClaimValue(**gold), value, taxonomy)
                for name, gold, value in zip(attributes, values, found, strict=True)
            ]
        )
    return pl.DataFrame(
        {"told": told, "is_readable": readable, "stated": stated},
        schema={"told": pl.String, "is_readable": pl.List(pl.Boolean), "stated": pl.List(pl.Boolean)},
    )


def _states(answer: str, name: str | None, gold: ClaimValue, found: ClaimValue | None, taxonomy: Taxonomy) -> bool:
    return gold == found or name in (None, UNTAGGED.name) or answer_may_say(answer, gold, taxonomy[str(name)])


def _readable(taxonomy: Taxonomy, answers: pl.DataFrame) -> pl.Series:
    """The attributes of which answers state a value, as one text each."""
    import polars as pl

    rules = _rules(taxonomy)
    return pl.Series(["\n".join(rules.readable(answer)) for answer in answers["answer"]], dtype=pl.String)


# ---------------------------------------------------------------------------------------------
# Values alone


def with_values(records: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """Records with the values that they lack and their answers state.

    Args:
        records: At least the columns `attribute`, `answer` and `value`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    answered = ["attribute", "answer"]
    lacking = pl.col("value").is_null() & pl.col("attribute").is_not_null()
    distinct = records.filter(lacking).select(answered).unique(maintain_order=True)
    with Workers(taxonomy, worth_sharing(len(distinct))) as workers:
        read = pl.concat([_values_of(taxonomy, distinct[:0]), *workers.map(_values_of, distinct.iter_slices(_SLICE))])
    # Joined by two columns alone: a join of whole records would copy them all.
    found = records.select(answered).join(read, on=answered, how="left", maintain_order="left")["read"]
    return records.with_columns(value=pl.coalesce("value", found))


def _values_of(taxonomy: Taxonomy, answers: pl.DataFrame) -> pl.DataFrame:
    """The values that answers state."""
    import polars as pl

    found = [parse_value(answer, taxonomy[attribute]) for attribute, answer in answers.iter_rows()]
    plain = [value and dataclasses.asdict(value) for value in found]
    return answers.with_columns(pl.Series("read", plain, frame_schema("text")["value"], strict=False))
