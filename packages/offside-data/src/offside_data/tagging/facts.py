"""The shared facts about subjects, as the subjects table lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from offside_data.dataset.storage import Row
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl


def with_facts(subjects: Iterable[Row], records: pl.DataFrame, taxonomy: Taxonomy) -> list[Row]:
    """Rows of the subjects table with the shared facts they lack: of each, the first value that isn't suspect.

    Values of kind `text` are none: a subject may have many sentences of one attribute.

    Args:
        subjects: The rows.
        records: All records, at least with the columns subject_id, attribute, scope, value and suspect.
        taxonomy: Their taxonomy.
    """
    import polars as pl

    value = pl.col("value").struct.field
    is_fact = (pl.col("scope") == "shared") & pl.col("attribute").is_not_null() & (value("kind") != "text")
    first = (
        records.filter(is_fact)
        .select("subject_id", "attribute", value("text").alias("text"), pl.col("suspect").is_not_null().alias("odd"))
        .sort("odd", maintain_order=True)
        .unique(["subject_id", "attribute"], keep="first", maintain_order=True)
    )
    told: dict[str | None, dict[str, str]] = {}
    for subject, attribute, text in first.select("subject_id", "attribute", "text").iter_rows():
        told.setdefault(subject, {})[attribute] = text
    rows = []
    for row in subjects:
        facts = told.get(row["subject_id"], {}) | {fact["attribute"]: fact["text"] for fact in row.get("facts") or ()}
        listed = [{"attribute": name, "text": facts[name]} for name in taxonomy.names("shared") if name in facts]
        rows.append({**row, "facts": listed})
    return rows
