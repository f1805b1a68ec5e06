"""Meta-evaluation: which metrics can be believed? Each has to tell models that learnt the claims from ones that didn't.

A metric is *faithful* if it ranks every model that learnt what is asked about above every one that didn't: the ROC-AUC
over models, 1 where it always does. It is *stable* under a change that teaches nothing (rounded weights, other words,
the same little training of all) if models stay on their side of the line between both groups, and the AUC between the
changed models stays. Models that learnt a little (*faint*) are the harder case. All this follows the audit of
unlearning metrics in Dorna et al., "OpenUnlearning" (arXiv 2506.12618); here the models are evaluations that were made
already, so that nothing is loaded. Evaluations of different records (two leagues, say) are groups: only models of one
group are held against each other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_eval.audited import NOT_ASKED
from offside_eval.metrics import load_metrics
from offside_eval.model_metrics import Control, Measured, load_model_metrics, model_metric_names
from offside_eval.model_scores import measure, saved
from offside_eval.rating import ShareOfModels, auc_within, line_between, share
from offside_eval.results import Results

MIN_MODELS = 3
"""A side: with fewer no interval says anything."""
Changes = Mapping[str, Sequence[tuple[Results, Results]]]
Controls = Mapping[Control, Sequence[Results]]
_NO_DIRECTION = "isn't made to tell whether claims are known"


@dataclass(frozen=True)
class Audited:
    """What one metric is worth.

    Args:
        metric: Its name.
        of: Whether it is one of single records, averaged over the private claims to be forgotten, or of a whole model.
        faithfulness: ROC-AUC between models that learnt the claims and models that never did.
        faint: Likewise between models that learnt a little and those that never did; null where none were given.
        stability: By change, the share of models that stay on their side.
        after: By change, the ROC-AUC between the changed models.
        learnt: Its value of each model that learnt.
        never: Likewise of those that didn't.
        hardly: Likewise of those that learnt a little.
    """

    metric: str
    of: Literal["records", "model"]
    faithfulness: ShareOfModels
    faint: ShareOfModels | None = None
    stability: Mapping[str, ShareOfModels] = field(default_factory=dict)
    after: Mapping[str, ShareOfModels] = field(default_factory=dict)
    learnt: Sequence[float] = ()
    never: Sequence[float] = ()
    hardly: Sequence[float] = ()


@dataclass
class _Group:
    """Evaluations of the same records."""

    learnt: list[Results] = field(default_factory=list)
    never: list[Results] = field(default_factory=list)
    faint: list[Results] = field(default_factory=list)
    changes: dict[str, list[tuple[Results, Results]]] = field(default_factory=dict)

    def knows(self, model: Results) -> bool:
        return any(model.meta.model.digest == r.meta.model.digest for r in self.learnt)


@dataclass(frozen=True)
class _Reading:
    """How the number of a metric is read off an evaluation; higher is what a model that knows the claims has."""

    of: Literal["records", "model"]
    sign: float
    read: Callable[[Results], float | str]
    """Its value, or the reason why there is none."""

    def values(self, models: Sequence[Results]) -> tuple[list[float], str | None]:
        """The value of each; or how many have none and why the first hasn't."""
        found = [self.read(model) for model in models]
        missing = [value for value in found if isinstance(value, str)]
        said = f"not scored of {len(missing)} of {counted(len(models), 'model')}: {missing[0]}" if missing else None
        return [value for value in found if not isinstance(value, str)], said

    def area(self, pairs: Sequence[tuple[Sequence[Results], Sequence[Results]]]) -> ShareOfModels:
        """ROC-AUC between groups of models."""
        _, said = self.values([model for pair in pairs for side in pair for model in side])
        if said is not None:
            return ShareOfModels(None, reason=said)
        return auc_within([(self.turned(one), self.turned(other)) for one, other in pairs])

    def turned(self, models: Sequence[Results]) -> list[float]:
        """Values so that higher means that the claims are known."""
        return [self.sign * value for value in self.values(models)[0]]


def audit(
    learnt: Sequence[Results],
    never: Sequence[Results],
    changes: Changes | None = None,
    *,
    faint: Sequence[Results] = (),
    controls: Controls | None = None,
) -> list[Audited]:
    """Rate every per-record metric that all these models have, and every metric of a model, best first.

    Args:
        learnt: Evaluations of models that learnt what is to be forgotten.
        never: Evaluations of models that never saw it.
        changes: By name of a change pairs of evaluations: of a model of either side, and of the same model changed (or
            asked otherwise: the records are the same by their ids).
        faint: Evaluations of models that learnt it a little.
        controls: Results of vanilla and of retain-only for metrics that need them, of each dataset one; none of the
            models that are rated with.

    Raises:
        UsageError: If a side has fewer than three models of some records, a model is on both sides or twice, a pair's
            first model is on neither side or its second one of other records, or a control is one of the models.
    """
    changes = changes or {}
    groups = _grouped(learnt, never, faint, changes)
    _require_apart([*learnt, *never, *faint], controls or {})
    changed = [new for pairs in changes.values() for _, new in pairs]
    readings = _readings([*learnt, *never, *faint], changed, controls or {})
    found = [_rated(name, reading, groups, list(changes)) for name, reading in readings.items()]
    return sorted(found, key=_order)


def _order(rated: Audited) -> tuple[float, float, str]:
    """The more faithful first, of equals what tells a faint memory, then by name."""

    def worth(area: ShareOfModels | None) -> float:
        return -1.0 if area is None or area.value is None else area.value

    return -worth(rated.faithfulness), -worth(rated.faint), rated.metric


def _rated(name: str, reading: _Reading, groups: Sequence[_Group], changes: Sequence[str]) -> Audited:
    faithfulness = reading.area([(group.learnt, group.never) for group in groups])
    with_faint = [group for group in groups if group.faint]
    if faithfulness.value is None:
        return Audited(name, reading.of, faithfulness)
    learnt, never, hardly = (
        reading.values([model for group in groups for model in getattr(group, side)])[0]
        for side in ("learnt", "never", "faint")
    )
    stability, after = {}, {}
    for change in changes:
        changed = [_changed(group, change) for group in groups if change in group.changes]
        stability[change] = _stability(reading, groups, change)
        whole = [(one, other) for one, other in changed if one and other]
        after[change] = (
            reading.area(whole) if whole else ShareOfModels(None, reason="no models of both sides were changed")
        )
    return Audited(
        name,
        reading.of,
        faithfulness,
        reading.area([(group.faint, group.never) for group in with_faint]) if with_faint else None,
        stability,
        after,
        learnt,
        never,
        hardly,
    )


def _changed(group: _Group, change: str) -> tuple[list[Results], list[Results]]:
    """The changed models of both sides."""
    pairs = group.changes[change]
    return [new for own, new in pairs if group.knows(own)], [new for own, new in pairs if not group.knows(own)]


def _stability(reading: _Reading, groups: Sequence[_Group], change: str) -> ShareOfModels:
    kept: list[bool] = []
    changed = [new for group in groups for _, new in group.changes.get(change, ())]
    _, said = reading.values(changed)
    if said is not None:
        return ShareOfModels(None, reason=said)
    whole = [reading.turned([*group.learnt, *group.never]) for group in groups]
    if all(len({*values}) == 1 for values in whole):
        return ShareOfModels(None, reason="it gives every model the same: there are no sides to stay on")
    for group in groups:
        line = line_between(reading.turned(group.learnt), reading.turned(group.never))
        for own, new in group.changes.get(change, ()):
            kept.append((reading.turned([new])[0] > line) == group.knows(own))
    return share(kept) if kept else ShareOfModels(None, reason="no model was changed so")


def _readings(models: Sequence[Results], changed: Sequence[Results], controls: Controls) -> dict[str, _Reading]:
    """How each metric is read: those of records that all unchanged models have, and all of models."""
    found: dict[str, _Reading] = {}
    names = [name for name in models[0].metrics if all(name in r.metrics for r in models)]
    for name, metric in load_metrics(names).items():
        sign = 1.0 if not metric.higher_is_better["forget"] else -1.0
        found[name] = _Reading("records", sign, _reader(name))
    of_models = load_model_metrics(model_metric_names())
    measured = {
        id(r): _measured(r, [n for n, m in of_models.items() if m.memory], _controls_of(r, controls))
        for r in (*models, *changed)
    }
    for name, of_model in of_models.items():
        sign = -1.0 if of_model.memory == "down" else 1.0
        found[name] = _Reading("model", sign, _model_reader(name, measured))
    return found


def _reader(name: str) -> Callable[[Results], float | str]:
    def read(results: Results) -> float | str:
        """A metric's mean over the private claims that were to be forgotten."""
        import polars as pl

        if name not in results.samples.columns:
            return NOT_ASKED
        rows = results.samples.filter(
            pl.col("slice") == "forget", pl.col("scope") == "private", pl.col("variant") == "plain"
        )
        mean = rows[name].mean()
        if not isinstance(mean, int | float):
            return "no private claim to be forgotten has a score"
        return float(mean) if math.isfinite(mean) else "its scores aren't all numbers"

    return read


def _model_reader(name: str, measured: Mapping[int, Mapping[str, Measured]]) -> Callable[[Results], float | str]:
    def read(results: Results) -> float | str:
        own = measured[id(results)].get(name)
        if own is None:
            return _NO_DIRECTION
        if own.value is None:
            return own.reason or "not scored"
        return own.value if math.isfinite(own.value) else "it isn't a number"

    return read


def _measured(results: Results, names: Sequence[str], controls: Mapping[str, Results]) -> dict[str, Measured]:
    """The metrics of a model: what stands beside its results if it was measured beside these controls, else anew."""
    standing = {name: m for name, m in saved(results, controls).items() if name in names}
    return standing | measure(results, [name for name in names if name not in standing], controls)


def _controls_of(results: Results, controls: Controls) -> dict[str, Results]:
    """The controls that answered the same questions."""
    return {role: r for role, given in controls.items() for r in given if _asked(r) == _asked(results)}


def _asked(results: Results) -> tuple[str, str]:
    return results.meta.dataset.digest, results.forget_digest


def _grouped(
    learnt: Sequence[Results], never: Sequence[Results], faint: Sequence[Results], changes: Changes
) -> list[_Group]:
    """Evaluations by what they are about, checked."""
    groups: dict[tuple[str, str], _Group] = {}
    for side, models in (("learnt", learnt), ("never", never), ("faint", faint)):
        for model in models:
            getattr(groups.setdefault(_asked(model), _Group()), side).append(model)
    for side, given in (("learnt", learnt), ("never", never)):
        if len(given) < MIN_MODELS:
            raise UsageError(f"--{side}: {len(given)} models; at least {MIN_MODELS} are needed, and 8 are better.")
    for group in groups.values():
        if min(len(group.learnt), len(group.never)) < MIN_MODELS:
            odd = [*group.learnt, *group.never, *group.faint][0]
            raise UsageError(
                f"{_place(odd)} is about other records than the rest, and of these there are {len(group.learnt)} "
                f"models that learnt and {len(group.never)} that never did: at least {MIN_MODELS} of each are needed."
            )
    models = [*learnt, *never, *faint]
    digests = [r.meta.model.digest for r in models]
    twice = next((r for r in models if digests.count(r.meta.model.digest) > 1), None)
    if twice is not None:
        raise UsageError(f"{_place(twice)}: the same model is given twice, or on both sides.")
    for name, pairs in changes.items():
        for own, new in pairs:
            place = next(
                (g for g in groups.values() if any(_same(own, r) for r in (*g.learnt, *g.never))),
                None,
            )
            if place is None:
                raise UsageError(f"--changed {name}: {_place(own)} is on neither side.")
            if new.forget_digest != own.forget_digest:
                raise UsageError(f"--changed {name}: {_place(new)} is about other records than {_place(own)}.")
            place.changes.setdefault(name, []).append((own, new))
    return list(groups.values())


def _same(one: Results, other: Results) -> bool:
    return one.meta.model.digest == other.meta.model.digest and _asked(one) == _asked(other)


def _require_apart(models: Sequence[Results], controls: Controls) -> None:
    """Refuse a control that is one of the models, or two of one role for the same records."""
    digests = {r.meta.model.digest for r in models}
    for role, given in controls.items():
        option = f"--{role.replace('_', '-')}"
        for control in given:
            if control.meta.model.digest in digests:
                raise UsageError(f"{option}: {_place(control)} is one of the models that metrics are rated with.")
            if sum(_asked(r) == _asked(control) for r in given) > 1:
                raise UsageError(f"{option}: {_place(control)} isn't the only one of its dataset: give one of each.")


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
    return [dataclasses.asdict(a) for a in audited]
