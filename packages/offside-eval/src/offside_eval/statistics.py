"""Intervals and tests over *subjects* (and seeds): the records of one subject hang together.

A number is a smooth function of means (a mean, a ratio, a difference of ratios), each the mean score of
one model on some records. Its standard error is the jackknife's that leaves out one subject at a time (CV3 in
MacKinnon, Nielsen and Webb, "Fast and reliable jackknife and bootstrap methods for cluster-robust
inference", 2023), its quantile that of Student's t with one degree of freedom less than there are subjects.

Near a bound of the score that isn't enough: the subjects seen may all agree although others don't. So an
interval must also hold what it would be with *one more subject, unlike all seen*, at its worst, as Agresti
and Coull (1998) add observations to a share; and never less than the rule of three (Hanley and Lippman-Hand
1983): a kind of subject that is more than 1 - 0.05^(1/k), about 3/k, of all would have been among k seen.
`docs/statistics.md` has how often the intervals cover. Only `paired_test` draws random numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from offside_data.errors import UsageError

Floats: TypeAlias = npt.NDArray[np.float64]
Statistic: TypeAlias = Callable[[Sequence[Floats]], Floats]
"""Means of the samples, arrays of one shape, to numbers in an array of that shape."""
Seeds: TypeAlias = Sequence[Sequence[Statistic]]
"""Where the same was done with several seeds: for each such thing the statistic without the first seed, without
the second, and so on."""

CONFIDENCE = 0.95
MIN_SUBJECTS = 6
"""With fewer subjects not even an exact sign test can reach 5 %: nothing is decided."""
WEBB_BELOW = 12
"""Subjects below which the paired test draws Webb's six weights; from there on, signs."""
N_DRAWS = 9_999
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
_TINY = 1e-12
_HALVINGS = 60
"""Steps of the search for a p-value between `_TINY` and 1."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval.

    Args:
        value: The number on all the data.
        low: Lower bound; null where `reason` says why.
        high: Upper bound, likewise.
        n: Records behind it: different ones, however many models answered them.
        n_clusters: Clusters (subjects) behind it; of the smallest sample, when there are several.
        n_seeds: Seeds behind it. With one, the interval is about these weights only.
        reason: Why there are no bounds.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    n_clusters: int
    n_seeds: int = 1
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """One model's scores on one set of records, summed by cluster.

    Args:
        names: The clusters, sorted.
        sums: Sum of the scores of each cluster, of shape `(clusters,)`; simulations have further axes before it.
        counts: Number of scores of each cluster, of the same shape.
        learnt: Whether the model is vanilla, which was trained until it knew its subjects: that it doesn't
            know one more at all isn't to be feared, as it is of every other model.
        records: What was scored, where that is known: a record in several samples counts once.
    """

    names: tuple[str, ...]
    sums: Floats
    counts: Floats
    learnt: bool = False
    records: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        values: Sequence[float] | Floats,
        clusters: Sequence[str | None],
        *,
        learnt: bool = False,
        records: Sequence[str] | None = None,
    ) -> ClusterSums:
        """Sum `values` by cluster; a value whose cluster is null is a cluster of its own.

        Args:
            values: One score a record.
            clusters: The subject of each, or null.
            learnt: See the class.
            records: What each is a score of.

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
        return cls(tuple(names.tolist()), sums, counts, learnt, None if records is None else frozenset(records))

    @cached_property
    def n(self) -> Floats:
        """How many scores there are."""
        return np.asarray(self.counts.sum(axis=-1))

    @cached_property
    def means(self) -> Floats:
        """Their mean, of shape `()`; in simulations one a study."""
        return np.asarray(self.sums.sum(axis=-1) / self.n)

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(self.means)

    @cached_property
    def size(self) -> Floats:
        """Scores of one more cluster: as many as a score's own cluster has on average, not as a cluster has."""
        return np.asarray((self.counts**2).sum(axis=-1) / self.n)

    @cached_property
    def ends(self) -> Floats:
        """Between what a mean can lie: 0 and 1, or where the scores leave these, what was seen."""
        means = self.sums / self.counts
        low, high = means.min(axis=-1), means.max(axis=-1)
        bounded = (low >= 0) & (high <= 1)
        return np.stack([np.where(bounded, 0.0, low), np.where(bounded, 1.0, high)])


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with what its intervals and tests rest on.

    The last axis of the arrays holds the number on the data, and then four times the number with one more
    subject unlike all seen (see `_unlike_all`). Simulations have further axes before it, one estimate a study.

    Args:
        centers: The number.
        variances: What each source of chance, subjects first and then seeds, adds to its squared standard error;
            sources are the first axis.
        degrees: Degrees of freedom of each source.
        alike: Effective number of subjects: how many of one size would count as much.
        n: See `Interval`.
        n_clusters: See `Interval`.
        n_seeds: See `Interval`.
    """

    centers: Floats
    variances: Floats
    degrees: tuple[float, ...]
    alike: Floats
    n: int
    n_clusters: int
    n_seeds: int

    @cached_property
    def errors(self) -> Floats:
        """Standard error of the number; 0 where nothing varies."""
        return np.asarray(np.sqrt(self.variances.sum(axis=0)))

    @property
    def value(self) -> float:
        """The number on all the data."""
        return float(self.centers[0])

    @property
    def reason(self) -> str | None:
        """Why there is no interval; null when there is one."""
        if self.n_clusters < 2:
            return "one subject only: nothing can be said about another"
        if not (np.isfinite(self.centers).all() and np.isfinite(self.errors).all()):
            return "without some subject (or with one more) the number can't be computed"
        return None

    @property
    def _pull(self) -> Floats:
        """How far the number would go if all subjects were unlike those seen, in proportion."""
        return (self.centers - self.centers[..., :1]) * (self.alike[..., None] + 1)

    @cached_property
    def _shares(self) -> Floats:
        """Share of each source in the squared standard error, summing to 1."""
        total = self.variances.sum(axis=0)
        even = np.full_like(self.variances, 1 / len(self.variances))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.divide(self.variances, total, out=even, where=total > 0))

    def _quantile(self, beyond: float | Floats) -> Floats:
        """How many standard errors the number lies from the truth with the probability `beyond`, or more.

        Each source's own Student quantile, weighted by its share (Cochran 1964). Where the sources have very
        unequal degrees of freedom, as two seeds and 80 subjects do, Satterthwaite's approximation is too short:
        two seeds that agree by luck give themselves no weight in it.
        """
        of_sources = [special.stdtrit(degrees, 1 - np.asarray(beyond) / 2) for degrees in self.degrees]
        return np.asarray(sum(share * one for share, one in zip(self._shares, of_sources, strict=True)))

    def _beyond(self, t: Floats) -> Floats:
        """The inverse of `_quantile`, and 2 less that of -t where t is negative: from 2 down to 0."""
        if len(self.degrees) == 1:
            return np.asarray(2 * special.stdtr(self.degrees[0], -t))
        low, high = np.full(t.shape, np.log(_TINY)), np.zeros(t.shape)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            further = self._quantile(np.exp(middle)) > np.abs(t)
            low, high = np.where(further, middle, low), np.where(further, high, middle)
        return np.where(t < 0, 2 - np.exp(high), np.exp(high))

    def bounds(self, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
        """Lower and upper bound, not finite where there is none."""
        reach = self._quantile(1 - confidence) * self.errors
        unseen = 1 - (1 - confidence) ** (1 / self.alike)  # the rule of three: a larger share would have been seen
        others = self.centers[..., :1] + self._pull * unseen[..., None]
        low = np.minimum(self.centers - reach, others)[..., _BELOW].min(axis=-1)
        return low, np.maximum(self.centers + reach, others)[..., _ABOVE].max(axis=-1)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """The interval that covers the true number with (about) the given confidence."""
        low, high = (None, None) if self.reason else map(float, self.bounds(confidence))
        return Interval(self.value, low, high, self.n, self.n_clusters, self.n_seeds, self.reason)

    def p_values(self, threshold: float) -> Floats:
        """Two-sided p-value that the true number is `threshold`: the interval with confidence 1 - p just reaches it."""
        distance = self.centers - threshold
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.nan_to_num(distance / self.errors, nan=0.0, posinf=np.inf, neginf=-np.inf)
        pull, gap = self._pull, -distance[..., :1]  # what share unlike those seen would close the gap
        share = np.divide(gap, pull, out=np.ones_like(pull), where=pull != 0)
        unseen = (1 - np.clip(share, 0, 1)) ** self.alike[..., None]
        over = np.maximum(self._beyond(t), unseen)[..., _BELOW].max(axis=-1)
        under = np.maximum(self._beyond(-t), unseen)[..., _ABOVE].max(axis=-1)
        return np.asarray(np.minimum(1.0, np.minimum(over, under)))

    def p_value(self, threshold: float) -> float | None:
        """The p-value of a single study; null where there is no interval."""
        return None if self.reason else float(self.p_values(threshold))


def mean_estimate(values: Sequence[float] | Floats, clusters: Sequence[str | None]) -> Estimate:
    """A mean.

    Args:
        values: One score a record.
        clusters: The subject of each; null = the record stands for itself.

    Raises:
        UsageError: If `values` is empty or doesn't fit `clusters`.
    """
    return estimate(lambda means: means[0], [ClusterSums.of(values, clusters)])


def estimate(statistic: Statistic, samples: Sequence[ClusterSums], seeds: Seeds = ()) -> Estimate:
    """A function of several means, over subjects, and over seeds where there are several.

    Two-way where `seeds` is given: the variance over subjects (of what is left when the seeds are
    averaged) plus the variance over seeds, each with its own degrees of freedom. What varies from subject
    to subject *and* seed to seed is counted twice, on the safe side. With one seed the variance over seeds
    can't be known: the interval is about these weights only.

    Args:
        statistic: Vectorised and smooth: gets one array of means a sample, gives an array of that shape.
        samples: E.g. one model each on the same records.
        seeds: The statistic without each seed.

    Raises:
        UsageError: If there are no samples.
    """
    if not samples:
        raise UsageError("no samples to compute a statistic of.")
    n_clusters = min(len(s.names) for s in samples)
    n_seeds = min((len(without) for without in seeds), default=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cases = _unlike_all(statistic, samples)
        centers, variance = _jackknife(statistic, samples, cases)
        of_seeds = _over_seeds(statistic, samples, seeds)
        variances = np.stack([variance, *(np.broadcast_to(v[..., None], variance.shape) for v, _ in of_seeds)])
        degrees = (max(1.0, n_clusters - 1.0), *(freedom for _, freedom in of_seeds))
        alike = np.min([np.broadcast_to(s.n / s.size, centers.shape[:-1]) for s in samples], axis=0)
    return Estimate(centers, variances, degrees, alike, _records(samples), n_clusters, n_seeds)


def _records(samples: Sequence[ClusterSums]) -> int:
    known = [s.records for s in samples if s.records is not None]
    if len(known) == len(samples):
        return len(frozenset().union(*known))
    return int(min(s.n.min() for s in samples))


_CASES = 5
_BELOW, _ABOVE = [0, 1, 3], [0, 2, 4]
"""Cases that speak of how low the number may be, and of how high."""


def _unlike_all(statistic: Statistic, samples: Sequence[ClusterSums]) -> list[Floats]:
    """The data as they are, and with one more subject that pulls the number down or up.

    Down: once with all models at their lowest whose lowest lowers the number, once with all at their
    highest whose highest does; up likewise.

    Returns:
        For each sample the mean score of the one more, NaN where it is like the others, of shape `(..., 5)`.
    """
    means = [s.means for s in samples]
    now = np.asarray(statistic(means))
    cases = []
    for i, s in enumerate(samples):
        case = np.full((*now.shape, _CASES), np.nan)
        for end in (0, 1) if not s.learnt else ():
            moved = means[i] + s.size / (s.n + s.size) * (s.ends[end] - means[i])
            shift = np.asarray(statistic([*means[:i], moved, *means[i + 1 :]])) - now
            case[..., 1 + 2 * end] = np.where(shift < -_TINY, s.ends[end], np.nan)
            case[..., 2 + 2 * end] = np.where(shift > _TINY, s.ends[end], np.nan)
        cases.append(case)
    return cases


def _jackknife(statistic: Statistic, samples: Sequence[ClusterSums], cases: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The number in each case, and its variance by leaving out one cluster at a time, each of shape `(..., 5)`."""
    names = samples[0].names
    if any(s.names != names for s in samples):
        names = tuple(sorted(set().union(*(s.names for s in samples))))
    position = {name: i for i, name in enumerate(names)}
    k = len(names)
    arguments = []
    for s, case in zip(samples, cases, strict=True):
        like = np.isnan(case)
        more = np.where(like, 0.0, s.size[..., None])[..., None]
        total = s.sums.sum(axis=-1)[..., None, None] + more * np.where(like, 0.0, case)[..., None]
        n = s.n[..., None, None] + more
        means = np.empty((*case.shape, k + 2))  # with all, without each cluster, without the one more
        means[:] = total / n
        where = slice(1, -1) if s.names == names else [1 + position[name] for name in s.names]
        means[..., where] = (total - s.sums[..., None, :]) / (n - s.counts[..., None, :])
        means[..., -1] = s.means[..., None]
        arguments.append(means)
    numbers = np.asarray(statistic(arguments))
    centers = numbers[..., 0]
    clusters = k + ~np.isnan(cases).all(axis=0)
    squares = ((numbers[..., 1:] - centers[..., None]) ** 2).sum(axis=-1)
    return centers, (clusters - 1) / clusters * squares


def _over_seeds(statistic: Statistic, samples: Sequence[ClusterSums], seeds: Seeds) -> list[tuple[Floats, float]]:
    """Variance over each set of seeds, by leaving out one at a time, and its degrees of freedom."""
    means = [s.means for s in samples]
    now = np.asarray(statistic(means))
    found = []
    for n, without in ((len(without), without) for without in seeds):
        if n > 1:
            squares = np.stack([(np.asarray(one(means)) - now) ** 2 for one in without])
            found.append((np.asarray((n - 1) / n * squares.sum(axis=0)), n - 1.0))
    return found


def paired_test(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, clusters: Sequence[str | None], *, seed: int = 0
) -> float:
    """Two-sided p-value that two models score the same on the same records.

    Wild cluster bootstrap-t with the null hypothesis imposed (Cameron, Gelbach and Miller 2008): each
    subject's differences are multiplied by a random weight. Under 12 subjects the weights are Webb's six
    ("Reworking wild bootstrap-based inference for clustered errors", 2023), for signs alone give too few
    different draws; from there on they are signs. 9,999 seeded draws. Never below 2^(1 - subjects): that
    often all of them have the same sign by chance.

    Raises:
        UsageError: If the lists are empty or differ in length, or there is one subject only.
    """
    if len(a) != len(b):
        raise UsageError(f"{len(a)} scores against {len(b)}: a paired test needs the same records in both.")
    differences = ClusterSums.of(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64), clusters)
    k = len(differences.sums)
    if k < 2:
        raise UsageError("one subject only: nothing can be tested, for nothing is known of how subjects differ.")
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = _t_squared(differences, np.ones((1, k)))
        drawn = _t_squared(differences, _weights(k, seed))
    hits = int((drawn >= observed * (1 - 1e-9)).sum())
    return max((hits + 1) / (N_DRAWS + 1), 2.0 ** (1 - k))


def _t_squared(differences: ClusterSums, weights: Floats) -> Floats:
    """Squared t statistic (up to a constant) of the cluster sums times each row of weights; 0 where there is no sum."""
    sums, counts = differences.sums, differences.counts
    total = weights @ sums
    mean = total / counts.sum()
    spread = weights**2 @ sums**2 - 2 * mean * (weights @ (sums * counts)) + mean**2 * (counts**2).sum()
    nothing = np.abs(total) <= 1e-12 * np.abs(sums).sum()
    return np.where(nothing, 0.0, total**2 / np.maximum(spread, 1e-15 * (sums**2).sum()))


@functools.lru_cache(maxsize=32)
def _weights(k: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(N_DRAWS, k))
    return signs * rng.choice(_WEBB, size=(N_DRAWS, k)) if k < WEBB_BELOW else signs


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of the p-values of one table, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted
