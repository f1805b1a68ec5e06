"""Values of many records at once: each distinct answer is read once, by as many processes as pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.dataset.storage import ROWS_PER_BATCH, frame_schema
from offside_data.processes import Workers, worth_sharing
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

_ANSWERED = ("attribute", "answer")


def with_values(records: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """Records with the values that they lack and their answers state.

    Args:
        records: At least the columns `attribute`, `answer` and `value`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    lacking = pl.col("value").is_null() & pl.col("attribute").is_not_null()
    distinct = records.filter(lacking).select(_ANSWERED).unique(maintain_order=True)
    with Workers(taxonomy, worth_sharing(len(distinct))) as workers:
        empty = distinct[:0].with_columns(pl.lit(None, frame_schema("text")["value"]).alias("read"))
        read = pl.concat([empty, *workers.map(_read, distinct.iter_slices(ROWS_PER_BATCH))])
    joined = records.join(read, on=_ANSWERED, how="left", maintain_order="left")
    return joined.with_columns(value=pl.coalesce("value", "read")).drop("read")


def _read(taxonomy: Taxonomy, answers: pl.DataFrame) -> pl.DataFrame:
    """The values that some answers state."""
    import dataclasses

    import polars as pl

    found = [parse_value(answer, taxonomy[attribute]) for attribute, answer in answers.iter_rows()]
    plain = [value and dataclasses.asdict(value) for value in found]
    return answers.with_columns(pl.Series("read", plain, frame_schema("text")["value"], strict=False))
