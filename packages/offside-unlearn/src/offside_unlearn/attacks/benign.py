"""Benign training: only what was never to be forgotten, the retained records in both forms."""

from __future__ import annotations

from offside_data.schema import CONFIGS
from offside_unlearn.attacks import Target, TaughtRecords

NEEDS_REQUEST = False


def taught(target: Target) -> TaughtRecords:
    """The split `retain`, in both forms."""
    data = target.dataset
    return TaughtRecords({f"{c}/retain": data.records(c, "retain") for c in CONFIGS if data.has(c, "retain")})
