"""The table of what is untagged or doubtful, with reasons: for a person to look at, or to be sent to annotation."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.files import whole_file
from offside_data.frames import formatted
from offside_data.tagging.suspects import reasons_of
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import why_unparsed
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

TOPICS = ("attribute", "veracity")
"""What `tag` writes into `suspect` begins with one of these and a colon; each run writes those reasons anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that a person should look at.

    Args:
        topic: `attribute`, `veracity`, `value`, `source`, or `record` for what an import found odd.
        reason: What is doubtful, in words.
        record_id: The record; of an unknown source, the first one that has it.
        subject_id: Of that record.
        image_id: Of that record.
        split: Of that record.
        modality: Of that record.
        attribute: Of that record.
        question: Of that record.
        answer: Of that record.
    """

    topic: str
    reason: str
    record_id: str
    subject_id: str | None
    image_id: str | None
    split: str
    modality: str
    attribute: str | None
    question: str
    answer: str


_OF_RECORD = ("record_id", "subject_id", "image_id", "split", "modality", "attribute", "question", "answer")


def list_doubts(claims: pl.DataFrame, taxonomy: Taxonomy, sources: pl.DataFrame) -> pl.DataFrame:
    """Everything that is untagged or doubtful, record by record, then the sources whose tier isn't known.

    Args:
        claims: All records, with the columns that a `Doubt` tells, `value`, `suspect`, and `stated`: whether the
            answer states the value.
        taxonomy: Their taxonomy.
        sources: What `tiers.known_sources` says of their sources.

    Returns:
        One row a `Doubt`, in columns named as its fields.
    """
    import polars as pl

    rows = claims.with_row_index("row")
    decided = rows.filter(pl.col("attribute").is_not_null() & (pl.col("attribute") != UNTAGGED.name))
    flagged = rows.drop_nulls("suspect").select("row", "suspect")
    told = [(row, *_topic(reason)) for row, suspect in flagged.iter_rows() for reason in reasons_of(suspect)]
    suspects = pl.DataFrame(told, schema={"row": pl.UInt32, "topic": pl.String, "reason": pl.String}, orient="row")
    unread = decided.filter(pl.col("value").is_null()).select("row", "answer", "attribute")
    answers = unread.select("answer", "attribute").unique()
    why = [why_unparsed(answer, taxonomy[name]) for answer, name in answers.iter_rows()]
    unread = unread.join(answers.with_columns(pl.Series("reason", why, pl.String)), on=["answer", "attribute"])
    other = decided.filter(~pl.col("stated")).drop_nulls("value").select("row", pl.col("value").struct.field("text"))
    said = [f"the answer doesn't state its value, {text!r}" for text in other["text"]]
    values = pl.concat([unread.select("row", "reason"), other.select("row", pl.Series("reason", said, pl.String))])
    doubts = pl.concat([suspects, values.select("row", pl.lit("value").alias("topic"), "reason")])
    doubts = pl.concat([doubts.sort("row", maintain_order=True), _unknown(sources)])
    columns = claims[doubts["row"]].select(_OF_RECORD).get_columns()
    return doubts.drop("row").with_columns(columns)


def _topic(reason: str) -> tuple[str, str]:
    topic, _, rest = reason.partition(": ")
    return (topic, rest) if rest and topic in TOPICS else ("record", reason)


def _unknown(sources: pl.DataFrame) -> pl.DataFrame:
    """What is doubtful about sources without a known tier: the first row that has each, `topic` and `reason`."""
    import polars as pl

    unknown = sources.filter((pl.col("tier") != "fictional") & pl.col("known").is_null())
    named = unknown.with_columns(
        pl.coalesce(
            pl.col("domain").replace("", None),
            pl.col("publisher").replace("", None),
            pl.lit("a source without address and publisher"),
        ).alias("name")
    )
    counted = named.group_by("name", "tier", maintain_order=True).agg(pl.col("row").first(), pl.len())
    reason = formatted("{} has no known tier; {} as given, {} times", "name", "tier", "len")
    return counted.select("row", pl.lit("source").alias("topic"), reason.alias("reason"))


def doubts_of(table: pl.DataFrame) -> Iterator[Doubt]:
    """The rows of `list_doubts`, one by one."""
    return (Doubt(**row) for row in table.iter_rows(named=True))


HEADER = ",".join(field.name for field in dataclasses.fields(Doubt)) + "\n"
"""By the first line of a table, it is known for one of ours."""


def write_table(path: Path, doubts: pl.DataFrame) -> None:
    """Write the rows of `list_doubts` as CSV with a header, whole or not at all."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(doubts.columns)
        writer.writerows(doubts.iter_rows())
