"""Intervals and tests that resample *subjects*: the records of one subject hang together.

Everything is seeded and independent of the order of the rows. A number that rests on a single
subject gets no interval (`low` and `high` are null), for nothing can be said about another one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from offside_data.errors import UsageError
from offside_eval.config import N_BOOT

Floats: TypeAlias = npt.NDArray[np.float64]
Statistic: TypeAlias = Callable[[Sequence[Floats]], Floats]
"""Means of the samples, each of shape `(resamples,)`, to one number a resample."""

CONFIDENCE = 0.95
EXACT_UP_TO = 12
"""Subjects up to which the paired test goes through every sign pattern."""
N_FLIPS = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval.

    Args:
        value: The number on all the data.
        low: Lower bound; null when only one cluster is there, or the bound isn't finite.
        high: Upper bound, likewise.
        n: Values behind it (of the smallest sample, when there are several).
        n_clusters: Clusters (subjects) behind it, likewise.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    n_clusters: int


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """One model's scores on one set of records, summed by cluster.

    Args:
        names: The clusters, sorted.
        sums: Sum of the scores of each cluster.
        counts: Number of scores of each cluster.
    """

    names: tuple[str, ...]
    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, values: Sequence[float] | Floats, clusters: Sequence[str | None]) -> ClusterSums:
        """Sum `values` by cluster; a value whose cluster is null is a cluster of its own.

        Raises:
            UsageError: If there are no values, or not one cluster a value, or a value isn't finite.
        """
        scores = np.asarray(values, dtype=np.float64)
        if scores.size == 0:
            raise UsageError("no values: the mean of nothing isn't a number. Leave the aggregate out.")
        if scores.ndim != 1 or len(clusters) != scores.size:
            raise UsageError(f"{len(clusters)} clusters for values of shape {scores.shape}; give one a value.")
        if not np.isfinite(scores).all():
            raise UsageError("a value is NaN or infinite; leave records that were not scored out.")
        labels = [name if name is not None else f"\0{i}" for i, name in enumerate(clusters)]
        names, index = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        sums = np.bincount(index, weights=scores, minlength=len(names)).astype(np.float64)
        counts = np.bincount(index, minlength=len(names)).astype(np.float64)
        return cls(tuple(names.tolist()), sums, counts)

    @property
    def n(self) -> int:
        """How many scores there are."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(self.sums.sum() / self.counts.sum())


def bootstrap_mean(
    values: Sequence[float] | Floats, clusters: Sequence[str | None], *, n_boot: int = N_BOOT, seed: int = 0
) -> Interval:
    """Mean with a 95 % percentile interval from resampled clusters.

    Args:
        values: One score a record.
        clusters: The subject of each; null = the record stands for itself.
        n_boot: Resamples.
        seed: Of the resampling.

    Raises:
        UsageError: If `values` is empty or doesn't fit `clusters`.
    """
    sample = ClusterSums.of(values, clusters)
    return bootstrap_statistic(lambda means: means[0], [sample], n_boot=n_boot, seed=seed)


def bootstrap_statistic(
    statistic: Statistic, samples: Sequence[ClusterSums], *, n_boot: int = N_BOOT, seed: int = 0
) -> Interval:
    """A function of several means, with an interval that resamples the same clusters in all samples.

    Args:
        statistic: Vectorised: gets one array of means a sample, gives an array of the same shape.
        samples: E.g. one model each on the same records.
        n_boot: Resamples.
        seed: Of the resampling.

    Raises:
        UsageError: If there are no samples.
    """
    if not samples:
        raise UsageError("no samples to compute a statistic of.")
    n_clusters = min(len(s.names) for s in samples)
    n = min(s.n for s in samples)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic([np.array([s.mean]) for s in samples])[0])
        if n_clusters == 1:
            return Interval(value, None, None, n, n_clusters)
        names = tuple(sorted(set().union(*(s.names for s in samples))))
        weights = _resamples(len(names), n_boot, seed)
        position = {name: i for i, name in enumerate(names)}
        means = []
        for s in samples:
            w = weights if s.names == names else weights[:, [position[name] for name in s.names]]
            means.append((w @ s.sums) / (w @ s.counts))
        draws = statistic(means)
    draws = draws[~np.isnan(draws)]
    if draws.size == 0:
        return Interval(value, None, None, n, n_clusters)
    tail = (1 - CONFIDENCE) / 2
    bounds = np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")
    low, high = (float(bound) if np.isfinite(bound) else None for bound in bounds)
    return Interval(value, low, high, n, n_clusters)


@functools.lru_cache(maxsize=32)
def _resamples(n_clusters: int, n_boot: int, seed: int) -> Floats:
    """How often each cluster was drawn in each resample, shape `(n_boot, n_clusters)`."""
    evenly = np.full(n_clusters, 1 / n_clusters)
    return np.random.default_rng(seed).multinomial(n_clusters, evenly, size=n_boot).astype(np.float64)


def paired_test(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, clusters: Sequence[str | None], *, seed: int = 0
) -> float:
    """Two-sided p-value that two models score the same on the same records.

    Sign-flip permutation over clusters: under the null hypothesis a subject's summed difference
    could as well have had the other sign. Exact up to 12 clusters, 10,000 seeded flips beyond.

    Raises:
        UsageError: If the lists are empty or differ in length.
    """
    if len(a) != len(b):
        raise UsageError(f"{len(a)} scores against {len(b)}: a paired test needs the same records in both.")
    differences = ClusterSums.of(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64), clusters).sums
    k = len(differences)
    observed = abs(differences.sum())
    tolerance = 1e-9 * max(1.0, float(np.abs(differences).sum()))
    if k <= EXACT_UP_TO:
        signs = 1.0 - 2.0 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        return float((np.abs(signs @ differences) >= observed - tolerance).mean())
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(N_FLIPS, k))
    hits = int((np.abs(signs @ differences) >= observed - tolerance).sum())
    return (hits + 1) / (N_FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of the p-values of one table, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted
