"""Build the rows of one setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from offside_data.settings import SETTINGS
from offside_eval.compare.attacks import attack_outcomes, is_attack
from offside_eval.compare.by_scope import kept_by_scope
from offside_eval.compare.comparison import SettingComparison
from offside_eval.compare.earlier import earlier_outcomes
from offside_eval.compare.measures import collapse, forgotten, measure_all
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import COMPARED, CONTROLS, NEVER_SAW, Model, ModelSet, on_curve, told_apart
from offside_eval.compare.quantities import Quantity, unscored
from offside_eval.compare.recoveries import attacked_models, recoveries
from offside_eval.compare.relearning import bounce_back, corrections
from offside_eval.compare.scores import ScoreTable
from offside_eval.compare.seeds import recipe, seed_of, starts_of, together
from offside_eval.compare.trajectories import LEVELS, Candidate, Trajectory, ranking_level
from offside_eval.results import Results
from offside_eval.statistics import holm

BY_DEFINITION = {"vanilla": "0 by definition", "retain_only": "1 by definition"}
"""Forgetting of the controls that its scale rests on."""


def setting_rows(name: str, models: ModelSet, metric: str, levels: Sequence[float] = LEVELS) -> SettingComparison:
    """All rows of the setting `name`, the compared ones in order and the controls.

    Args:
        name: Of the setting.
        models: All models.
        metric: The score.
        levels: Forgetting at which methods are compared of which there are trajectories.
    """
    asked = list(_evaluations(name, models))
    starts = starts_of(models)
    groups = _groups([(m, r) for m, r in asked if m.role in COMPARED], starts)
    labels = _labels([group[0][0] for group in groups], models)
    candidates = [
        _candidate(label, group, models, metric)
        for label, group in zip(labels, groups, strict=True)
        if _is_trajectory(group)
    ]
    level = ranking_level(candidates, levels)
    rows = [candidate.row(level) for candidate in candidates]
    plain, p_values = [], []
    for label, group in zip(labels, groups, strict=True):
        if not _is_trajectory(group):
            row, p_value = _over_seeds(label, group, models, metric)
            plain.append(row)
            p_values.append(p_value)
    rows += _beside_relearned(name, _with_holm(plain, p_values), models)
    attacks = attack_outcomes((row for row in rows if is_attack(row)), starts, models)
    rows = [row for row in rows if not is_attack(row)]
    controls = [_control_row(role, models, asked, metric) for role in CONTROLS if role in models.controls]
    # Relearned retain-only is a control as well: nothing was unlearned, so nothing of it is damage.
    never_knew = [r for r in sorted(rows, key=_order) if _never_knew(r, models)]
    attacked = [replace(r, collapsed=(), wrecks=()) for r in never_knew]
    named = [(label, *each) for label, group in zip(labels, groups, strict=True) for each in group]
    asked_of = [(m.role, m, r) for m, r in asked if models.controls.get(m.role) is m]
    recovered = recoveries(name, attacked_models(named, asked_of), models, metric)
    summary = SETTINGS[name].summary if name in SETTINGS else ""
    own = sorted((r for r in rows if r not in never_knew), key=_order)
    chosen = levels if candidates else ()
    shown, earlier = [*controls, *attacked], earlier_outcomes(own, models, metric)
    return SettingComparison(name, summary, own, shown, candidates, chosen, level, attacks, recovered, earlier)


_Group = list[tuple[Model, Results]]


def _never_knew(row: ModelRow, models: ModelSet) -> bool:
    """Whether a row is of a relearned model that never saw the claims."""
    parent = models.parents.get(row.model.digest)
    return parent is not None and parent.role in ("retain_only", NEVER_SAW)


def _is_trajectory(group: _Group) -> bool:
    """Whether a run in a group has several points here: between vanilla and a single one nothing is known."""
    often = Counter(model.run.request for model, _ in group if model.run is not None and on_curve(model))
    return max(often.values(), default=0) > 1


def _groups(compared: Sequence[tuple[Model, Results]], starts: Mapping[str, str]) -> list[_Group]:
    """What belongs into one row: the points of a trajectory, and models that differ in the seed alone.

    `starts` says of relearned ones what they were made from, as `starts_of` has it.

    Two models with the same seed are two rows all the same, unless they are points of one trajectory.
    """
    groups: dict[tuple[str, int], _Group] = {}
    remade = _remade([model for model, _ in compared])
    for model, r in compared:
        if model.run is None:
            groups[model.digest, len(groups)] = [(model, r)]
            continue
        key, nth = recipe(model.run) + starts.get(model.digest, ""), 0
        while any(_again((model, r), other, remade) for other in groups.get((key, nth), ())):
            nth += 1
        groups.setdefault((key, nth), []).append((model, r))
    return list(groups.values())


def _remade(models: Sequence[Model]) -> set[str]:
    """Requests of runs that were made more than once: after the same steps there are other weights."""
    often = Counter((model.run.request, model.steps) for model in models if model.run is not None and on_curve(model))
    return {request for (request, _), n in often.items() if n > 1}


def _again(one: tuple[Model, Results], other: tuple[Model, Results], remade: set[str]) -> bool:
    """Whether a model is of the same seed as another, and yet no point of the same trajectory."""
    (model, r), (second, s) = one, other
    if seed_of(model.run) != seed_of(second.run):
        return False
    if not on_curve(model) or not on_curve(second):
        return not on_curve(model)
    return model.run is not None and model.run.request in remade and _place(model, r) != _place(second, s)


def _place(model: Model, r: Results) -> tuple[Path, Path | None]:
    """Where the run of a model lay, and the results of its points."""
    return model.run_folder, r.path and r.path.resolve().parent


def _candidate(label: str, group: _Group, models: ModelSet, metric: str) -> Candidate:
    by_run: dict[str, _Group] = {}
    for model, r in group:
        assert model.run is not None  # else it is on no curve
        by_run.setdefault(model.run.request, []).append((model, r))
    runs = []
    for points in by_run.values():
        points.sort(key=lambda point: point[0].steps or 0)
        rows = [_compared_row(label, model, r, models, metric)[0] for model, r in points]
        start = _start(rows[0], models, metric)
        runs.append(Trajectory(seed_of(points[0][0].run), (*((start,) if start else ()), *rows)))
    return Candidate(label, tuple(sorted(runs, key=lambda run: -1 if run.seed is None else run.seed)))


def _start(first: ModelRow, models: ModelSet, metric: str) -> ModelRow | None:
    """Vanilla as the first point of a trajectory; null without vanilla."""
    vanilla = models.controls.get("vanilla")
    if vanilla is None or first.results is None:
        return None
    scores = ScoreTable(first.results.samples, metric, models.arms(vanilla))
    return ModelRow(first.label, vanilla, first.results, first.setting, _numbers(scores))


def _over_seeds(label: str, group: _Group, models: ModelSet, metric: str) -> tuple[ModelRow, float | None]:
    """One row of models that differ in the seed alone; of their p-values the largest, for every one must differ."""
    found = [_compared_row(label, model, r, models, metric) for model, r in group]
    rows = [row for row, _ in found]
    p_values = [p for _, p in found if p is not None]
    reasons = dict.fromkeys(reason for row in rows for reason in row.collapsed)
    row = replace(
        rows[0],
        quantities=together([dict(row.quantities) for row in rows]),
        collapsed=tuple(reasons),
        wrecks=tuple(row.model.digest for row in rows if row.collapsed),
        seeds=tuple(seed_of(row.model.run) for row in rows),
        members=tuple(row.model for row in rows),
    )
    return row, max(p_values, default=None)


def _evaluations(name: str, models: ModelSet) -> Iterator[tuple[Model, Results]]:
    """Every model's results in a setting; a second evaluation of the same request adds nothing."""
    for model in models.members:
        seen = set()
        for r in model.results:
            if r.setting == name and r.forget_digest not in seen:
                seen.add(r.forget_digest)
                yield model, r


def _labels(compared: Sequence[Model], models: ModelSet) -> list[str]:
    """A short name each: the method, `METHOD + relearn`; with the run's folder where that isn't unique."""

    def short(model: Model) -> str:
        if model.role == "relearned":
            parent = models.parents.get(model.digest)
            origin = (
                "?" if parent is None else parent.title if parent.role == NEVER_SAW else parent.method or parent.role
            )
            how = model.run.attack.replace("_", " ") if model.run and model.run.attack else "relearn"
            return f"{origin} + {how}" + (f" {model.steps}" if model.steps else "")
        return model.method or Path(model.path).name

    labels = [short(m) for m in compared]
    for label in [label for label, n in Counter(labels).items() if n > 1]:
        alike = [i for i, other in enumerate(labels) if other == label]
        for i, folder in zip(alike, told_apart([compared[i] for i in alike]), strict=True):
            labels[i] = f"{label} ({folder})"
    return labels


def _compared_row(label: str, model: Model, r: Results, models: ModelSet, metric: str) -> tuple[ModelRow, float | None]:
    parent = models.parents.get(model.digest)
    arms = models.arms(model)
    if model.role == "relearned":
        arms |= {"parent": parent, "relearned_control": models.relearned_control(model)}
    taught = list(model.run.taught or ()) if model.run else []
    scores = ScoreTable(r.samples.filter(~r.samples["record_id"].is_in(taught)), metric, arms)
    found = _numbers(scores)
    if model.role == "relearned":
        found |= bounce_back(scores)
    found |= corrections(scores)
    of = None if parent is None else _origin(parent)
    row = ModelRow(label, model, r, r.setting, found, collapse(found), parent=of)
    attacked = model.role == "relearned"
    return row, None if attacked else scores.p_same(forgotten(), "self", "vanilla")


def _origin(parent: Model) -> str:
    """How rows call the model that they were relearned from."""
    if parent.role == NEVER_SAW:
        return parent.title
    return parent.role if parent.role in CONTROLS else parent.method or parent.path


def _numbers(scores: ScoreTable) -> dict[str, Quantity]:
    return measure_all(scores) | kept_by_scope(scores)


def _with_holm(rows: list[ModelRow], p_values: list[float | None]) -> list[ModelRow]:
    known = [i for i, p in enumerate(p_values) if p is not None]
    adjusted = dict(zip(known, holm([p for p in p_values if p is not None]), strict=True))
    return [replace(row, p_forgot=adjusted.get(i)) for i, row in enumerate(rows)]


def _beside_relearned(setting: str, rows: Sequence[ModelRow], models: ModelSet) -> list[ModelRow]:
    """The rows, those marked that were unlearned elsewhere and are here as what others were relearned from."""
    relearned = [model for row in rows if row.role == "relearned" for model in row.members or (row.model,)]
    starts = {parent.digest for model in relearned if (parent := models.parents.get(model.digest)) is not None}

    def is_start(row: ModelRow) -> bool:
        run = row.model.run
        here = run is None or run.setting == setting
        return row.role == "unlearned" and not here and any(m.digest in starts for m in row.members or (row.model,))

    return [replace(row, before=True) if is_start(row) else row for row in rows]


def _control_row(role: str, models: ModelSet, asked: Sequence[tuple[Model, Results]], metric: str) -> ModelRow:
    """A control on the records that the setting's models were asked, wherever it answered them."""
    model = models.controls[role]
    own = next((r for m, r in asked if m is model), None)
    basis = next((r for m, r in asked if m.role in COMPARED), own or asked[0][1])
    scores = ScoreTable(basis.samples, metric, models.arms(model))
    found = _numbers(scores) | corrections(scores)
    if role in BY_DEFINITION:
        found = {
            key: unscored(BY_DEFINITION[role]) if key.startswith("forgetting") else quantity
            for key, quantity in found.items()
        }
        found |= {key: unscored("a control") for key in ("selectivity", "balance", "modality_gap")}
    return ModelRow(role, model, own, basis.setting, found)


def _order(row: ModelRow) -> tuple[bool, bool, bool, float, str, int]:
    """Unlearned models by balance of forgetting and keeping, those that fell short next, collapsed ones last.

    Relearned ones follow, each after what it was relearned from.
    """
    if not row.ranks:
        steps = 0 if row.before else row.model.steps or 0
        return True, False, False, 0.0, (_origin(row.model) if row.before else row.parent) or "", steps
    balance = row.quantity("balance").value
    return False, bool(row.collapsed), row.fell_short, -(balance if balance is not None else -1.0), row.label, 0
