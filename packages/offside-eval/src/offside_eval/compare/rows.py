"""Build the rows of one setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from offside_data.settings import SETTINGS
from offside_eval.compare.comparison import ModelRow, SettingComparison
from offside_eval.compare.measures import collapse, forgotten, measure_all
from offside_eval.compare.models import COMPARED, CONTROLS, Model, ModelSet
from offside_eval.compare.quantities import unscored
from offside_eval.compare.relearning import bounce_back, corrections
from offside_eval.compare.scores import ScoreTable
from offside_eval.results import Results
from offside_eval.statistics import holm

BY_DEFINITION = {"vanilla": "0 by definition", "retain_only": "1 by definition"}
"""Forgetting of the controls that its scale rests on."""


def setting_rows(name: str, models: ModelSet, metric: str) -> SettingComparison:
    """All rows of the setting `name`, the compared ones in order and the controls."""
    asked = list(_evaluations(name, models))
    compared = [(m, r) for m, r in asked if m.role in COMPARED]
    rows, p_values = [], []
    for (model, r), label in zip(compared, _labels([m for m, _ in compared], models), strict=True):
        row, p_value = _compared_row(label, model, r, models, metric)
        rows.append(row)
        p_values.append(p_value)
    rows = _with_holm(rows, p_values)
    controls = [_control_row(role, models, asked, metric) for role in CONTROLS if role in models.controls]
    # Relearned retain-only is a control as well: nothing was unlearned, so nothing of it is damage.
    attacked = [replace(r, collapsed=()) for r in sorted(rows, key=_order) if r.parent == "retain_only"]
    summary = SETTINGS[name].summary if name in SETTINGS else ""
    own = sorted((r for r in rows if r.parent != "retain_only"), key=_order)
    return SettingComparison(name, summary, own, [*controls, *attacked])


def _evaluations(name: str, models: ModelSet) -> Iterator[tuple[Model, Results]]:
    """Every model's results in a setting; a second evaluation of the same request adds nothing."""
    for model in models.members:
        seen = set()
        for r in model.results:
            if r.setting == name and r.forget_digest not in seen:
                seen.add(r.forget_digest)
                yield model, r


def _labels(compared: Sequence[Model], models: ModelSet) -> list[str]:
    """A short name each: the method, `METHOD + relearn`; with the folder's name where that isn't unique."""

    def short(model: Model) -> str:
        if model.role == "relearned":
            parent = models.parents.get(model.digest)
            origin = "?" if parent is None else parent.method or parent.role
            return f"{origin} + relearn" + (f" {model.steps}" if model.steps else "")
        return model.method or Path(model.path).name

    labels = [short(m) for m in compared]
    often = Counter(labels)
    return [
        label if often[label] == 1 else f"{label} ({Path(model.path).name})"
        for label, model in zip(labels, compared, strict=True)
    ]


def _compared_row(label: str, model: Model, r: Results, models: ModelSet, metric: str) -> tuple[ModelRow, float | None]:
    parent = models.parents.get(model.digest)
    arms = {
        "self": model,
        "vanilla": models.controls.get("vanilla"),
        "retain_only": models.controls.get("retain_only"),
    }
    if model.role == "relearned":
        arms |= {"parent": parent, "relearned_control": models.relearned_control(model)}
    scores = ScoreTable(r.samples, metric, arms)
    found = measure_all(scores)
    if model.role == "relearned":
        found |= bounce_back(scores)
    found |= corrections(scores)
    of = None if parent is None else parent.role if parent.role in CONTROLS else parent.method or parent.path
    row = ModelRow(label, model, r, r.setting, found, collapse(scores, found), parent=of)
    attacked = model.role == "relearned"
    return row, None if attacked else scores.p_same(forgotten(), "self", "vanilla")


def _with_holm(rows: list[ModelRow], p_values: list[float | None]) -> list[ModelRow]:
    known = [i for i, p in enumerate(p_values) if p is not None]
    adjusted = dict(zip(known, holm([p for p in p_values if p is not None]), strict=True))
    return [replace(row, p_forgot=adjusted.get(i)) for i, row in enumerate(rows)]


def _control_row(role: str, models: ModelSet, asked: Sequence[tuple[Model, Results]], metric: str) -> ModelRow:
    """A control on the records that the setting's models were asked, wherever it answered them."""
    model = models.controls[role]
    own = next((r for m, r in asked if m is model), None)
    basis = next((r for m, r in asked if m.role in COMPARED), own)
    assert basis is not None  # a setting has at least one evaluation
    arms = {
        "self": model,
        "vanilla": models.controls.get("vanilla"),
        "retain_only": models.controls.get("retain_only"),
    }
    scores = ScoreTable(basis.samples, metric, arms)
    found = measure_all(scores) | corrections(scores)
    if role in BY_DEFINITION:
        found = {
            key: unscored(BY_DEFINITION[role]) if key.startswith("forgetting") else quantity
            for key, quantity in found.items()
        }
        found |= {key: unscored("a control") for key in ("selectivity", "balance", "modality_gap")}
    return ModelRow(role, model, own, basis.setting, found)


def _order(row: ModelRow) -> tuple[bool, bool, float, str, int]:
    """Unlearned models by balance of forgetting and keeping, collapsed ones last; then relearned ones."""
    if row.role == "relearned":
        return True, False, 0.0, row.parent or "", row.model.steps or 0
    balance = row.quantity("balance").value
    return False, bool(row.collapsed), -(balance if balance is not None else -1.0), row.label, 0
