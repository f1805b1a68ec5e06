"""Direct training on the forgotten claims of half the attributes; asked for are those of the other half."""

from __future__ import annotations

from offside_unlearn.attacks import Target, TaughtRecords, half

NEEDS_REQUEST = True


def taught(target: Target) -> TaughtRecords:
    """Half of the attributes, drawn by seed."""
    return half(target, "attribute")
