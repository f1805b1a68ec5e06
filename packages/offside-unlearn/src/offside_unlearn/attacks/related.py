"""Related training: other records of the same subjects, the corrections of what was to be forgotten among them."""

from __future__ import annotations

from offside_data.schema import CONFIGS
from offside_unlearn.attacks import Target, TaughtRecords

NEEDS_REQUEST = False


def taught(target: Target) -> TaughtRecords:
    """The split `relearn`, in both forms."""
    data = target.dataset
    return TaughtRecords({f"{c}/relearn": data.records(c, "relearn") for c in CONFIGS if data.has(c, "relearn")})
