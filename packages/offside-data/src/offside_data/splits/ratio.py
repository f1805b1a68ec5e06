"""A share of the subjects is to be forgotten, drawn by hash: adding subjects moves nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.schema import Split
from offside_data.seeding import rng
from offside_data.splits._base import Unit, by_subject, place_subject

SETTLES = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the policy.

    Args:
        share: How much of the subjects is to be forgotten, e.g. 0.05, 0.10 or 0.15. The forget set of a smaller
            share is part of that of a larger one.
    """

    share: float = 0.10

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, e.g. 0.05 for 5 %, got {self.share}.")


def place(units: Sequence[Unit], options: Options, seed: int) -> dict[str, Split]:
    """Each subject by a draw of its own; see `place_subject` for what becomes of its records."""
    placed: dict[str, Split] = {}
    for subject, owned in by_subject(units).items():
        placed |= place_subject(owned, forget=rng(seed, "split", subject).random() < options.share)
    return placed
