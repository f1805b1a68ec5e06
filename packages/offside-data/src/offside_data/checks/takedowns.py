"""Is anything there again of a subject who was taken down."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.findings import Finding
from offside_data.inspection import Inspection
from offside_data.release.removal import prove_takedowns


def run(inspection: Inspection) -> Iterator[Finding]:
    """Look for what the tombstones in `decisions.jsonl` forbid, in all files of the dataset's folder."""
    return prove_takedowns(inspection.dataset.path)
