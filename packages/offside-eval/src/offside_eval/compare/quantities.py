"""Numbers made of means: `(a_v - a_u) / (a_v - a_ro)` and the like, with one interval at the end.

A `Quantity` keeps the samples that its means come from, so that whatever is computed from several
quantities (a ratio, an average over methods) still leaves the same subject out in all models at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offside_data.figures import number
from offside_eval.statistics import ClusterSums, Estimate, Floats, Interval, Statistic, estimate

MIN_DENOMINATOR = 0.05
"""A ratio over less than this is noise: it is not scored."""


@dataclass(frozen=True)
class Figure:
    """A number to show, or the reason why there is none.

    Args:
        interval: Value and bounds; null when not scored.
        reason: Why there is no number, or why it has no bounds; null when there are both.
        n_skipped: Records left out because some model's answer was not scored on them.
        of: What it is a number of, where that depends on the data: the set that suffered most.
    """

    interval: Interval | None
    reason: str | None = None
    n_skipped: int = 0
    of: str | None = None

    @property
    def value(self) -> float | None:
        """The number, or null."""
        return None if self.interval is None else self.interval.value

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        i = self.interval
        return {
            "value": i and i.value,
            "low": i and i.low,
            "high": i and i.high,
            "n_scored": i.n if i else 0,
            "n_skipped": self.n_skipped,
            "n_subjects": i.n_clusters if i else 0,
            "n_seeds": i.n_seeds if i else 0,
            "of": self.of,
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class Quantity:
    """A function of the means of samples.

    Args:
        samples: Where the means come from.
        compute: The function, vectorised; null when `reason` is set.
        reason: Why the quantity can't be computed.
        n_skipped: Records left out because some model's answer was not scored on them.
        seeds: For each mean over seeds in it, the function without the first seed, without the second, ...
        of: What it is a number of, where that depends on the data.
    """

    samples: tuple[ClusterSums, ...] = ()
    compute: Statistic | None = None
    reason: str | None = None
    n_skipped: int = 0
    seeds: tuple[tuple[Statistic, ...], ...] = ()
    of: str | None = None

    @property
    def value(self) -> float | None:
        """The number on all the data, or null."""
        if self.compute is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.compute([np.array([s.mean]) for s in self.samples])[0])

    @property
    def estimate(self) -> Estimate | None:
        """What intervals and tests rest on; null when not scored."""
        return None if self.compute is None else estimate(self.compute, self.samples, self.seeds)

    def figure(self) -> Figure:
        """The number with its interval."""
        found = self.estimate
        if found is None:
            return Figure(None, self.reason, self.n_skipped)
        interval = found.interval()
        return Figure(interval, interval.reason, self.n_skipped, self.of)


def unscored(reason: str, n_skipped: int = 0) -> Quantity:
    """A quantity that can't be computed."""
    return Quantity(reason=reason, n_skipped=n_skipped)


def mean_of(sample: ClusterSums, n_skipped: int = 0) -> Quantity:
    """The mean of one sample."""
    return Quantity((sample,), lambda means: means[0], n_skipped=n_skipped)


def combine(function: Callable[[Sequence[Floats]], Floats], *parts: Quantity) -> Quantity:
    """`function` of the values of `parts`; not scored when one of them isn't."""
    skipped = max((p.n_skipped for p in parts), default=0)
    for part in parts:
        if part.compute is None:
            return unscored(part.reason or "not scored", skipped)
    if not parts:
        return unscored("there is nothing to average")
    samples = tuple(s for p in parts for s in p.samples)
    whole = [p.compute for p in parts if p.compute is not None]
    ends = np.cumsum([len(p.samples) for p in parts]).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))

    def of(inner: Sequence[Statistic]) -> Statistic:
        return lambda means: function([one(means[a:b]) for one, (a, b) in zip(inner, spans, strict=True)])

    seeds = tuple(
        tuple(of([*whole[:i], one, *whole[i + 1 :]]) for one in without)
        for i, part in enumerate(parts)
        for without in part.seeds
    )
    return Quantity(samples, of(whole), n_skipped=skipped, seeds=seeds)


def over_seeds(parts: Sequence[Quantity]) -> Quantity:
    """The mean of the same quantity of models that differ in the seed alone; its interval is over seeds too.

    Args:
        parts: One a seed. With a single one the interval stays about these weights only.
    """
    whole = average(parts)
    if whole.compute is None or len(parts) == 1:
        return whole

    def without(seed: int) -> Callable[[Sequence[Floats]], Floats]:
        return lambda v: np.mean(np.stack([x for i, x in enumerate(v) if i != seed]), axis=0)

    each = (combine(without(seed), *parts).compute for seed in range(len(parts)))
    return replace(whole, seeds=(tuple(one for one in each if one is not None), *whole.seeds))


def difference(a: Quantity, b: Quantity) -> Quantity:
    """`a - b`."""
    return combine(lambda v: v[0] - v[1], a, b)


def ratio(numerator: Quantity, denominator: Quantity, what: str) -> Quantity:
    """`numerator / denominator`, never clipped; not scored over a denominator below 0.05.

    Args:
        numerator: Above the line.
        denominator: Below it.
        what: The denominator in words, for the reason.
    """
    below = denominator.value
    if below is not None and below < MIN_DENOMINATOR:
        return unscored(f"{what} is {number(below, 3)}, below {MIN_DENOMINATOR}: a ratio over it says nothing")
    return combine(lambda v: v[0] / v[1], numerator, denominator)


def average(parts: Sequence[Quantity]) -> Quantity:
    """The plain average of several quantities."""
    return combine(lambda v: np.mean(np.stack(list(v)), axis=0), *parts)


def worst(parts: Mapping[str, Quantity]) -> Quantity:
    """The lowest of several quantities by name, with its own interval; what isn't scored is passed over.

    Its lower bound is that of the lowest one: another's true number may be lower still.
    """
    scored = [(value, name) for name, part in parts.items() if (value := part.value) is not None]
    if not scored:
        return unscored(
            next((part.reason for part in parts.values() if part.reason), "there is nothing to choose from")
        )
    _, name = min(scored)
    return replace(parts[name], of=name)


def harmonic_mean(a: Quantity, b: Quantity) -> Quantity:
    """`2ab / (a + b)`; 0 where one of them is 0 (or below)."""

    def compute(v: Sequence[Floats]) -> Floats:
        positive = (v[0] > 0) & (v[1] > 0)
        total = np.where(positive, v[0] + v[1], 1.0)
        return np.where(positive, 2 * v[0] * v[1] / total, 0.0)

    return combine(compute, a, b)
