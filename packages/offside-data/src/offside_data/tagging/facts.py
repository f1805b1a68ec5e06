"""The shared facts about subjects, as the subjects table lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl


def with_facts(subjects: pl.DataFrame, claims: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The subjects table with the shared facts it lacks: of each, the first value that isn't suspect.

    Values of kind `text` are none: a subject may have many sentences of one attribute.

    Args:
        subjects: The table.
        claims: All records, with the columns `subject_id`, `attribute`, `scope`, `value`, `suspect`.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    value, of = pl.col("value").struct, ["subject_id", "attribute"]
    told = (
        claims.select(*of, "scope", "value", "suspect")
        .filter((pl.col("scope") == "shared") & (value.field("kind") != "text"))
        .sort(pl.col("suspect").is_not_null(), maintain_order=True)
        .select(*of, value.field("text"))
    )
    listed = subjects.select("subject_id", "facts").explode("facts").unnest("facts").drop_nulls("attribute").reverse()
    ranks = pl.DataFrame({"attribute": taxonomy.names("shared")}, schema={"attribute": pl.String}).with_row_index(
        "rank"
    )
    facts = (
        pl.concat([listed.select(*of, "text"), told])
        .unique(of, keep="first", maintain_order=True)
        .join(ranks, on="attribute")
        .sort("rank")
        .group_by("subject_id", maintain_order=True)
        .agg(pl.struct("attribute", "text").alias("facts"))
    )
    none = pl.lit([], subjects.schema["facts"])
    joined = subjects.drop("facts").join(facts, on="subject_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("facts").fill_null(none)).select(subjects.columns)
