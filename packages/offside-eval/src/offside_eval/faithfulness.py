"""Meta-evaluation: which metrics can be believed? Each has to tell models that learnt the claims from ones that didn't.

A metric is *faithful* if it ranks every model that learnt what is asked about above every one that didn't: the ROC-AUC
over models, 1 where it always does. It is *stable* under a change that teaches nothing (rounded weights, other words,
the same little training of all) if models stay on their side of the line between both groups. Both follow the audit of
unlearning metrics in Dorna et al., "OpenUnlearning" (arXiv 2506.12618); here the models are evaluations that were made
already, so that nothing is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy import optimize, special

from offside_data.errors import UsageError
from offside_eval.metrics import load_metrics
from offside_eval.results import Results

MIN_MODELS = 3
"""A side: with fewer no interval says anything."""
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


@dataclass(frozen=True)
class Audited:
    """What one metric is worth.

    Args:
        metric: Its name.
        faithfulness: ROC-AUC between models that learnt the claims and models that never did.
        stability: By change, the share of models that stay on their side.
        learnt: Its value of each model that learnt.
        never: Likewise of those that didn't.
    """

    metric: str
    faithfulness: ShareOfModels
    stability: Mapping[str, ShareOfModels] = field(default_factory=dict)
    learnt: Sequence[float] = ()
    never: Sequence[float] = ()


def audit(
    learnt: Sequence[Results],
    never: Sequence[Results],
    changes: Mapping[str, Sequence[tuple[Results, Results]]] | None = None,
) -> list[Audited]:
    """Rate every per-record metric that all evaluations have, best first.

    Args:
        learnt: Evaluations of models that learnt what is to be forgotten.
        never: Evaluations of models that never saw it.
        changes: By name of a change pairs of evaluations: of a model of either side, and of the same model changed.

    Raises:
        UsageError: If a side has fewer than three models, a model is on both sides or twice, an evaluation is of other
            records, or a pair's first model is on neither side.
    """
    _require_comparable(learnt, never, changes or {})
    every = [*learnt, *never, *(changed for pairs in (changes or {}).values() for _, changed in pairs)]
    names = [name for name in learnt[0].metrics if all(name in r.metrics for r in every)]
    sides = {r.meta.model.digest: knows for side, knows in ((learnt, True), (never, False)) for r in side}
    found = []
    for name, metric in load_metrics(names).items():
        sign = 1.0 if not metric.higher_is_better["forget"] else -1.0
        told = [[_value(r, name) for r in side] for side in (learnt, never)]
        missing = sum(value is None for side in told for value in side)
        if missing:
            why = f"{missing} of {len(learnt) + len(never)} models have no scored private claim to be forgotten"
            found.append(Audited(name, ShareOfModels(None, reason=why)))
            continue
        own = [[v for v in side if v is not None] for side in told]
        knowing, ignorant = ([sign * v for v in side] for side in own)
        line: float | None = (
            (min(knowing) + max(ignorant)) / 2 if min(knowing) > max(ignorant) else _middle(knowing, ignorant)
        )
        if len({*knowing, *ignorant}) == 1:
            line = None
        stable = {change: _stability(pairs, name, sign, line, sides) for change, pairs in (changes or {}).items()}
        found.append(Audited(name, auc(knowing, ignorant), stable, *own))
    return sorted(found, key=lambda a: (-(a.faithfulness.value if a.faithfulness.value is not None else -1), a.metric))


def auc(knowing: Sequence[float], ignorant: Sequence[float]) -> ShareOfModels:
    """Share of pairs in which the model that learnt scores higher, ties half; the interval is Newcombe's fifth.

    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2" (2006): a
    score interval, which is of use at 1, where resampling would have no width.
    """
    m, n = len(knowing), len(ignorant)
    wins = sum((a > b) + 0.5 * (a == b) for a in knowing for b in ignorant)
    value = wins / (m * n)
    larger = (m + n) / 2 - 1

    def off(theta: float) -> float:
        spread = 1 + larger * (1 - theta) / (2 - theta) + larger * theta / (1 + theta)
        variance = theta * (1 - theta) * spread / (m * n)
        return abs(theta - value) - _Z * math.sqrt(max(variance, 0.0))

    # At its own value the function is below zero, but at 0 and 1, where it is 0: there the search stops just short.
    low = 0.0 if value == 0 else float(optimize.brentq(off, _NEAR, min(value, 1 - _NEAR)))
    high = 1.0 if value == 1 else float(optimize.brentq(off, max(value, _NEAR), 1 - _NEAR))
    return ShareOfModels(value, low, high, m * n)


def _middle(knowing: Sequence[float], ignorant: Sequence[float]) -> float:
    """Between the means of both groups, where they overlap."""
    return (sum(knowing) / len(knowing) + sum(ignorant) / len(ignorant)) / 2


def _stability(
    pairs: Sequence[tuple[Results, Results]], name: str, sign: float, line: float | None, sides: Mapping[str, bool]
) -> ShareOfModels:
    if line is None:
        return ShareOfModels(None, reason="it gives every model the same: there are no sides to stay on")
    values = [(_value(changed, name), sides[own.meta.model.digest]) for own, changed in pairs]
    scored = [(sign * value > line) == knows for value, knows in values if value is not None]
    if len(scored) < len(values) or not scored:
        return ShareOfModels(None, reason=f"{len(values) - len(scored)} of {len(values)} changed models aren't scored")
    k, n = sum(scored), len(scored)
    center, half = (k + _Z**2 / 2) / (n + _Z**2), _Z / (n + _Z**2) * math.sqrt(k * (n - k) / n + _Z**2 / 4)  # Wilson
    return ShareOfModels(k / n, max(0.0, center - half), min(1.0, center + half), n)


def _value(results: Results, metric: str) -> float | None:
    """A metric's mean over the private claims that were to be forgotten."""
    import polars as pl

    rows = results.samples.filter(
        pl.col("slice") == "forget", pl.col("scope") == "private", pl.col("variant") == "plain"
    )
    mean = rows[metric].mean() if metric in rows.columns else None
    return float(mean) if isinstance(mean, int | float) and math.isfinite(mean) else None


def _require_comparable(
    learnt: Sequence[Results],
    never: Sequence[Results],
    changes: Mapping[str, Sequence[tuple[Results, Results]]],
) -> None:
    for side, what in ((learnt, "learnt"), (never, "never")):
        if len(side) < MIN_MODELS:
            raise UsageError(f"--{what}: {len(side)} models; at least {MIN_MODELS} are needed, and 8 are better.")
    digests = [r.meta.model.digest for r in (*learnt, *never)]
    twice = next((r for r in (*learnt, *never) if digests.count(r.meta.model.digest) > 1), None)
    if twice is not None:
        raise UsageError(f"{_place(twice)}: the same model is given twice, or on both sides.")
    every = [*learnt, *never, *(r for pairs in changes.values() for pair in pairs for r in pair)]
    first = learnt[0]
    for other in every:
        if (other.meta.dataset.digest, other.forget_digest) != (first.meta.dataset.digest, first.forget_digest):
            raise UsageError(
                f"{_place(other)} is about other records than {_place(first)} (dataset {other.meta.dataset.digest} and "
                f"{first.meta.dataset.digest}, forgotten {other.forget_digest} and {first.forget_digest})."
            )
    for name, pairs in changes.items():
        stray = next((own for own, _ in pairs if own.meta.model.digest not in digests), None)
        if stray is not None:
            raise UsageError(f"--changed {name}: {_place(stray)} is on neither side.")


def _place(results: Results) -> str:
    return str(results.path or results.meta.model.path)


def load_pairs(given: Sequence[str]) -> dict[str, list[tuple[Results, Results]]]:
    """Pairs by change, from `NAME:ORIGINAL=CHANGED`.

    Raises:
        UsageError: If one has another form.
    """
    found: dict[str, list[tuple[Results, Results]]] = {}
    for pair in given:
        name, colon, places = pair.partition(":")
        own, equals, changed = places.partition("=")
        if not (name and colon and own and equals and changed):
            raise UsageError(f"--changed takes NAME:ORIGINAL=CHANGED (two results folders), got {pair!r}.")
        found.setdefault(name, []).append((Results.load(Path(own)), Results.load(Path(changed))))
    return found


def documents(audited: Sequence[Audited]) -> list[dict[str, Any]]:
    """For JSON."""
    import dataclasses

    return [dataclasses.asdict(a) for a in audited]
