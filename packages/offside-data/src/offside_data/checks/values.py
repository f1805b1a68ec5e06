"""Does each record state a value: what none can be read from is taught as it stands, a placeholder or a denial too."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.issues import Issue

CODE = "no-value"
_SHOWN = 3
"""Records that a message names."""


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Count the records without a value, file by file; free texts are their own."""
    import polars as pl

    taxonomy = checked.dataset.taxonomy
    typed = [attribute.name for attribute in taxonomy.attributes if attribute.kind != "text"]
    lacking = checked.records.filter(pl.col("attribute").is_in(typed), pl.col("value").is_null())
    for part, records in lacking.group_by("part", maintain_order=True).agg("record_id").rows():
        named = ", ".join(records[:_SHOWN]) + (", …" if len(records) > _SHOWN else "")
        message = (
            f"of {len(records)} records no value can be read ({named}), so their answers may hold a placeholder or a "
            "denial. `offside-data tag` lists them with the reasons; reword them with `edit`, or leave them out."
        )
        yield Issue("warning", CODE, part, message)
