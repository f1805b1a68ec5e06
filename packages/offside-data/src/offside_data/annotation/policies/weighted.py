"""As the majority, but annotators count by weights: given, or learnt from how often they side with the others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offside_data.annotation.policies._base import Ballot, heaviest


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the policy.

    Args:
        weights: `a1:2,a2:0.5`; annotators who aren't named count 1. Learnt if empty.
        least: How many annotators must have answered.
        share: The share of the weights that an answer needs; more than it.
    """

    weights: tuple[str, ...] = ()
    least: int = 2
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.least < 1:
            raise ValueError(f"least must be at least 1, got {self.least}.")
        if not 0.5 <= self.share < 1:
            raise ValueError(f"share must be at least 0.5 and below 1, got {self.share}.")
        given_weights(self.weights)

    @property
    def named(self) -> tuple[str, ...]:
        """Who has a weight."""
        return tuple(given_weights(self.weights))


def given_weights(told: Sequence[str]) -> dict[str, float]:
    """Weights by pseudonym.

    Raises:
        ValueError: If one isn't written `a1:2`, or is no number from 0 on, or somebody has two.
    """
    found: dict[str, float] = {}
    for item in told:
        name, sign, number = item.partition(":")
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not sign or not name.strip() or not 0 <= weight < math.inf:
            raise ValueError(f"weights are written a1:2,a2:0.5, numbers from 0 on; got {item!r}.")
        if name.strip() in found:
            raise ValueError(f"{name.strip()} has two weights.")
        found[name.strip()] = weight
    if found and not any(found.values()):
        raise ValueError("all weights are 0: nobody would decide anything.")
    return found


def learnt_weights(ballots: Sequence[Ballot]) -> dict[str, float]:
    """How often each annotator says what more than half of the others say, over all these records, from 0 to 1.

    One hit and one miss are added, so that who answered little counts about one half.
    """
    hits: dict[str, int] = defaultdict(int)
    asked: dict[str, int] = defaultdict(int)
    for ballot in ballots:
        for annotator, answer in ballot.items():
            first = heaviest({name: said for name, said in ballot.items() if name != annotator}, {})
            if first is not None and first[1] > 0.5:
                asked[annotator] += 1
                hits[annotator] += answer == first[0]
    names = {name for ballot in ballots for name in ballot}
    return {name: (hits[name] + 1) / (asked[name] + 2) for name in names}


def decide(ballots: Sequence[Ballot], options: Options) -> list[str | None]:
    """What has more than the share of the weights of those who answered."""
    weights: Mapping[str, float] = given_weights(options.weights) or learnt_weights(ballots)
    found: list[str | None] = []
    for ballot in ballots:
        first = heaviest(ballot, weights) if len(ballot) >= options.least else None
        found.append(first[0] if first is not None and first[1] > options.share + 1e-9 else None)
    return found
