"""Is anything there again of a subject who was taken down."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.issues import Issue
from offside_data.takedown.proof import prove_takedowns


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look for what the tombstones in `decisions.jsonl` forbid, in all files of the dataset's folder."""
    return prove_takedowns(checked.dataset.path)
