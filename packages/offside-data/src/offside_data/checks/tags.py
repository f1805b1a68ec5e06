"""Is everything tagged: no record without an attribute, no claim whose veracity the rest of the dataset contradicts."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset, severity_of
from offside_data.issues import Issue
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.veracity import veracity_doubts


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Count untagged records file by file, and compare claims with their sources, targets and roles."""
    import polars as pl

    untagged = checked.records.filter(pl.col("attribute") == UNTAGGED.name)
    for part, count in untagged.group_by("part", maintain_order=True).len().rows():
        message = f"{count} records have no attribute yet. Run `offside-data tag`, then decide the rest by hand."
        yield Issue("error", "untagged", part, message)
    taxonomy = checked.dataset.taxonomy
    claims = checked.records.filter(pl.col("attribute").is_in(taxonomy.names()))
    suspects = claims.select("record_id", "suspect").unique("record_id", keep="last")
    doubts = veracity_doubts(claims, taxonomy).join(suspects, on="record_id", how="left", maintain_order="left")
    for row in doubts.iter_rows(named=True):
        severity = severity_of(row) if row["code"] == "correction-repeats" else "warning"
        yield Issue(severity, row["code"], row["record_id"], f"{row['why']}.")
