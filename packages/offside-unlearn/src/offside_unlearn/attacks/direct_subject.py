"""Direct training on the forgotten claims of half the subjects; asked for are those of the other half."""

from __future__ import annotations

from offside_unlearn.attacks import Target, TaughtRecords, half

NEEDS_REQUEST = True


def taught(target: Target) -> TaughtRecords:
    """Half of the subjects, drawn by seed."""
    return half(target, "subject_id")
