"""How well numbers of two groups of models are told apart: areas under the ROC curve and shares, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import optimize, special

_Z = float(special.ndtri(0.975))
_NEAR = 1e-12


@dataclass(frozen=True)
class ShareOfModels:
    """A share of pairs or models with its 95 % interval; null with the reason where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str | None = None


def auc(knowing: Sequence[float], ignorant: Sequence[float]) -> ShareOfModels:
    """`auc_within` of a single group."""
    return auc_within([(knowing, ignorant)])


def auc_within(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> ShareOfModels:
    """Share of pairs in which the model that learnt scores higher, ties half; the interval is Newcombe's fifth.

    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2" (2006): a
    score interval, which is of use at 1, where resampling would have no width. Over several groups the pairs are of
    models of one group, the share is over all pairs, and the variances of the groups are added by their weights.

    Args:
        groups: Of each the values of its models that learnt, and of those that never did, none of them empty.
    """
    pairs = [len(a) * len(b) for a, b in groups]
    wins = [sum((a > b) + 0.5 * (a == b) for a in one for b in other) for one, other in groups]
    total = sum(pairs)
    value = sum(wins) / total

    def off(theta: float) -> float:
        variance = 0.0
        for (one, other), count in zip(groups, pairs, strict=True):
            larger = (len(one) + len(other)) / 2 - 1
            spread = 1 + larger * (1 - theta) / (2 - theta) + larger * theta / (1 + theta)
            variance += (count / total) ** 2 * theta * (1 - theta) * spread / count
        return abs(theta - value) - _Z * math.sqrt(max(variance, 0.0))

    # At its own value the function is below zero, but at 0 and 1, where it is 0: there the search stops just short.
    low = 0.0 if value == 0 else float(optimize.brentq(off, _NEAR, min(value, 1 - _NEAR)))
    high = 1.0 if value == 1 else float(optimize.brentq(off, max(value, _NEAR), 1 - _NEAR))
    return ShareOfModels(value, low, high, total)


def share(hits: Sequence[bool]) -> ShareOfModels:
    """Share of hits with Wilson's interval; `hits` isn't empty."""
    k, n = sum(hits), len(hits)
    center, half = (k + _Z**2 / 2) / (n + _Z**2), _Z / (n + _Z**2) * math.sqrt(k * (n - k) / n + _Z**2 / 4)
    return ShareOfModels(k / n, max(0.0, center - half), min(1.0, center + half), n)


def line_between(knowing: Sequence[float], ignorant: Sequence[float]) -> float:
    """Halfway between two groups, or between their means where they overlap."""
    if min(knowing) > max(ignorant):
        return (min(knowing) + max(ignorant)) / 2
    return (sum(knowing) / len(knowing) + sum(ignorant) / len(ignorant)) / 2
