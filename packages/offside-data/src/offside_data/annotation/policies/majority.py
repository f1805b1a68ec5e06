"""More than half of the annotators decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.annotation.policies._base import Ballot, heaviest


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the policy.

    Args:
        least: How many annotators must have answered.
    """

    least: int = 2

    def __post_init__(self) -> None:
        if self.least < 1:
            raise ValueError(f"least must be at least 1, got {self.least}.")


def decide(ballots: Sequence[Ballot], options: Options) -> list[str | None]:
    """What more than half of those who answered say; nothing where they are too few."""
    found: list[str | None] = []
    for ballot in ballots:
        first = heaviest(ballot, {}) if len(ballot) >= options.least else None
        found.append(first[0] if first is not None and first[1] > 0.5 else None)
    return found
