"""Krippendorff's alpha and Cohen's kappa of answers in words, with intervals by bootstrap over records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_data.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2_000
LEVEL = 0.95
_UNDEFINED = 0.05
"""Share of resamples without a coefficient from which on there is no interval."""
_FEWEST = 2
"""Records that an interval needs at least."""

Votes = Mapping[str, str]
"""What annotators say of one thing of one record, by pseudonym."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement.

    Args:
        value: 1 is full agreement, 0 what chance would give; null where all say the same, so that chance can't be told.
        low: Lower end of the interval at `LEVEL`; null where there is none.
        high: Upper end.
        items: Records that it is about: those with at least two answers.
        agree: Share of pairs of answers to one record that are the same; null without any.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int
    agree: float | None


def krippendorff_alpha(items: Sequence[Votes], seed: int = 0) -> Coefficient:
    """Krippendorff's alpha for nominal answers; records may have any number of annotators.

    Args:
        items: Of each record.
        seed: Of the bootstrap.

    Raises:
        UsageError: If the library isn't installed.
    """
    import numpy as np

    kept = [votes for votes in items if len(votes) > 1]
    answers = sorted({answer for votes in kept for answer in votes.values()})
    rows = [tuple(list(votes.values()).count(answer) for answer in answers) for votes in kept]
    value = float("nan")
    if len(answers) > 1:
        alpha = _library("krippendorff").alpha
        value = float(alpha(value_counts=np.array(rows), level_of_measurement="nominal"))
    interval = _interval(value, rows, alphas_of, seed)
    return _coefficient(value, interval, len(kept), _share_alike(kept))


def cohen_kappa(pairs: Sequence[tuple[str, str]], seed: int = 0) -> Coefficient:
    """Cohen's kappa of two annotators.

    Args:
        pairs: What each said of each record that both judged.
        seed: Of the bootstrap.

    Raises:
        UsageError: If the library isn't installed.
    """
    answers = sorted({answer for pair in pairs for answer in pair})
    value = float("nan")
    if len(answers) > 1:
        kappa = _library("sklearn.metrics", "scikit-learn").cohen_kappa_score
        value = float(kappa([a for a, _ in pairs], [b for _, b in pairs], labels=answers))
    rows = [tuple(int(a == x and b == y) for x in answers for y in answers) for a, b in pairs]
    agree = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
    return _coefficient(value, _interval(value, rows, kappas_of, seed), len(pairs), agree)


def alphas_of(kinds: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Krippendorff's nominal alpha of many resamples at once.

    Args:
        kinds: Answers of each kind of record, shape (kinds, answers).
        times: How often each kind stands in each resample, shape (resamples, kinds).

    Returns:
        One a resample; not a number where all answers are the same.
    """
    import numpy as np

    judged = kinds.sum(axis=1)
    unlike = (judged**2 - (kinds**2).sum(axis=1)) / (judged - 1)  # Ordered pairs that differ, in each record.
    totals = times @ kinds
    count = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = 1 - (count - 1) * (times @ unlike) / (count**2 - (totals**2).sum(axis=1))
    return found


def kappas_of(kinds: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same of Cohen's kappa; each kind is one cell of the confusion table, flattened."""
    import numpy as np

    side = int(np.sqrt(kinds.shape[1]))
    tables = (times @ kinds).reshape(len(times), side, side)
    count = tables.sum(axis=(1, 2))
    seen = np.trace(tables, axis1=1, axis2=2) / count
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / count**2
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (seen - chance) / (1 - chance)
    return found


def confusion(pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How often the second annotator said what, by what the first said."""
    answers = sorted({answer for pair in pairs for answer in pair})
    table = {a: dict.fromkeys(answers, 0) for a in answers}
    for a, b in pairs:
        table[a][b] += 1
    return table


def _share_alike(items: Sequence[Votes]) -> float | None:
    alike = total = 0
    for votes in items:
        said = list(votes.values())
        total += len(said) * (len(said) - 1) // 2
        alike += sum(said[i] == said[k] for i in range(len(said)) for k in range(i))
    return alike / total if total else None


def _coefficient(value: float, ends: tuple[float, float] | None, items: int, agree: float | None) -> Coefficient:
    low, high = ends or (None, None)
    return Coefficient(value=None if value != value else value, low=low, high=high, items=items, agree=agree)


def _interval(
    value: float, rows: Sequence[tuple[int, ...]], of: Callable[[Any, Any], Any], seed: int
) -> tuple[float, float] | None:
    """Percentiles of what resampled records give; null where that says nothing.

    How often each kind of record stands in a resample is drawn at once: the same as drawing records one by one, and a
    thousand times as fast. Where nobody disagrees, every resample is alike: there is no interval.
    """
    import numpy as np

    if value != value or value == 1 or len(rows) < _FEWEST:
        return None
    kinds, counts = np.unique(np.array(rows, dtype=np.int64), axis=0, return_counts=True)
    times = np.random.default_rng(seed).multinomial(len(rows), counts / len(rows), size=RESAMPLES)
    drawn = of(kinds, times)
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < (1 - _UNDEFINED) * len(drawn):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _library(module: str, package: str = "") -> Any:
    """A library of the extra.

    Raises:
        UsageError: If it isn't installed.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{package or module} isn't installed, which computes agreement ({error}). Install the extra: "
            "pip install 'offside-data[annotation]'."
        ) from error
