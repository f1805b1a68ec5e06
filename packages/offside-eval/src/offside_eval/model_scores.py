"""Metrics of a model beside its results: which to compute, what they lack, and `model_metrics.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.figures import number
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.plugins import require_known
from offside_data.reading import read_small
from offside_eval.meta import ResultsError, checked
from offside_eval.model_metrics import (
    ComparedMetric,
    Control,
    Measured,
    cannot,
    load_model_metric,
    load_model_metrics,
    model_metric_names,
)

if TYPE_CHECKING:
    from offside_eval.compare import Comparison
    from offside_eval.results import Results

FILE = "model_metrics.json"
SCHEMA = 1
OPTIONS: Mapping[Control, str] = {
    "vanilla": "--vanilla RESULTS",
    "retain_only": "--retain-only RESULTS",
    "before": "--before RESULTS",
}
"""How a control is given on the command line."""
_OUTDATED = "a score was corrected since: add it again with `offside-eval add-metrics`"
_NAMES: Mapping[Control, str] = {
    "vanilla": "vanilla",
    "retain_only": "retain-only",
    "before": "the model before relearning",
}


def names_of_suite(suite: str) -> list[str]:
    """The metrics of a model that an evaluation with a suite prepares and computes.

    What `compare` has in every row isn't among them: it needs nothing prepared.
    """
    if suite not in ("core", "full"):
        return []
    metrics = load_model_metrics(model_metric_names())
    return [n for n, m in metrics.items() if not isinstance(m, ComparedMetric) and (suite == "full" or not m.costly)]


def lacking(names: Iterable[str], given: Iterable[str]) -> dict[Control, list[str]]:
    """Which metrics lack which controls.

    Args:
        names: The metrics.
        given: The controls that are there.
    """
    there = set(given)
    found: dict[Control, list[str]] = {}
    for name in names:
        for control in load_model_metric(name).controls:
            if control not in there:
                found.setdefault(control, []).append(name)
    return found


def said_of_lacking(names: Iterable[str], given: Iterable[str], out: str | Path | None) -> list[str]:
    """A sentence a control that is missing: what needs it, and how to add it now or later."""
    where = "RESULTS" if out is None else str(out)
    later = [name for name in names if not load_model_metric(name).asks_controls]
    return [
        f"{', '.join(metrics)} need{'s' if len(metrics) == 1 else ''} the results of {_NAMES[control]}: give "
        f"{OPTIONS[control]}, or add {'it' if len(metrics) == 1 else 'them'} later with `offside-eval add-metrics "
        f"{where} {OPTIONS[control]}`."
        for control, metrics in lacking(later, given).items()
    ]


def measure(own: Results, names: Sequence[str], controls: Mapping[str, Results]) -> dict[str, Measured]:
    """Compute metrics of a model, each a number or the reason why there is none.

    Args:
        own: The model's results.
        names: Which.
        controls: Results by `Control`.

    Raises:
        UsageError: If there is no such metric, or a control is the model itself.
    """
    require_known("metric of a model", names, model_metric_names())
    found = {}
    for name, metric in load_model_metrics(names).items():
        foreign = [
            _NAMES[role]
            for role in (*metric.controls, *metric.optional)
            if role in controls and controls[role].meta.dataset.digest != own.meta.dataset.digest
        ]
        missing = [_NAMES[control] for control in metric.controls if control not in controls]
        unscored = [column for column in metric.metrics if column not in own.samples.columns]
        if missing:
            found[name] = cannot(f"the results of {' and '.join(missing)} are missing")
        elif foreign:
            found[name] = cannot(f"{' and '.join(foreign)} answered questions of another dataset")
        elif unscored:
            found[name] = cannot(f"the evaluation has no {', '.join(unscored)}")
        else:
            wanted = {*metric.controls, *metric.optional}
            found[name] = metric.measure(own, {role: r for role, r in controls.items() if role in wanted})
    return found


def beside(comparison: Comparison) -> list[tuple[str, str, dict[str, Measured]]]:
    """The metrics of the models of a comparison that have any: setting, label, numbers by name.

    What stands in a results folder is taken as it is; what doesn't, or is of scores that were corrected since, is
    computed where the comparison has the controls.
    """
    found = []
    names = names_of_suite("full")
    controls: dict[str, Results] = {}
    for role in ("vanilla", "retain_only"):
        if (model := comparison.models.controls.get(role)) is not None:
            controls[role] = next((r for r in model.results if r.weighings is not None), model.results[0])
    for setting in comparison.settings.values():
        for row, is_control in setting.all_rows:
            own = row.results
            if own is None or is_control:
                continue
            numbers, outdated = _standing(own)
            prepared = [name for name in names if name in own.meta.model_metrics and name not in numbers]
            again = {n: all(c in controls for c in load_model_metric(n).controls) for n in outdated}
            numbers |= measure(own, list(dict.fromkeys([*prepared, *(n for n in outdated if again[n])])), controls)
            numbers |= {n: cannot(_OUTDATED) for n in outdated if not again[n]}
            if numbers:
                found.append((setting.name, row.label, dict(sorted(numbers.items()))))
    return found


def _standing(own: Results) -> tuple[dict[str, Measured], list[str]]:
    """What stands beside results, and the names of what is of other scores than those that count now."""
    if own.path is None:
        return {}, []
    known = model_metric_names()
    entries = read_entries(own.path)
    outdated = [name for name, e in entries.items() if e.get("corrected", 0) != len(own.corrections) and name in known]
    return {name: m for name, m in read(own.path).items() if name not in outdated}, outdated


def save(own: Results, found: Mapping[str, Measured], controls: Mapping[str, Results]) -> Path:
    """Write what was measured beside the results; what isn't measured anew stays.

    Raises:
        ResultsError: If the results were never written, or what is there can't be read.
    """
    if own.path is None:
        raise ResultsError("results that were never written have no place for metrics: save them first.")
    path = own.path / FILE
    before = read_entries(own.path)
    of = {role: {"path": r.meta.model.path, "digest": r.meta.model.digest} for role, r in controls.items()}
    for name, measured in found.items():
        used = load_model_metric(name)
        roles = {*used.controls, *used.optional} & of.keys()
        entry = {**dataclasses.asdict(measured), "controls": {role: of[role] for role in sorted(roles)}}
        if own.corrections:
            entry["corrected"] = len(own.corrections)
        is_of_now = before.get(name, {}).get("corrected", 0) == len(own.corrections)
        if measured.value is not None or name not in before or not is_of_now:
            before[name] = entry
    write_json(path, {"schema": SCHEMA, "metrics": dict(sorted(before.items()))})
    return path


def read_entries(folder: Path) -> dict[str, Any]:
    """What stands in a results folder's `model_metrics.json`, by metric; nothing where there is none.

    Raises:
        ResultsError: If the file can't be read.
    """
    path = folder / FILE
    try:
        text = read_small(path, error=ResultsError)
    except FileNotFoundError:
        return {}
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ResultsError(f"{path}: not valid JSON: {error}. Delete it and add the metrics again.") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or not isinstance(content.get("metrics"), dict):
        raise ResultsError(f"{path}: nothing that this version wrote. Delete it and add the metrics again.")
    entries: dict[str, Any] = content["metrics"]
    odd = [name for name, entry in entries.items() if not isinstance(entry, dict)]
    if odd:
        raise ResultsError(f"{path}: {', '.join(odd)}: no number of ours. Delete the file and add the metrics again.")
    return entries


def read(folder: Path) -> dict[str, Measured]:
    """The metrics of a model that stand in its results folder, by name.

    Raises:
        ResultsError: If the file can't be read.
    """
    found = {}
    for name, entry in read_entries(folder).items():
        measured = {key: value for key, value in entry.items() if key not in ("controls", "corrected")}
        found[name] = checked(Measured, measured, folder / FILE)
    return found


def saved(own: Results, controls: Mapping[str, Results]) -> dict[str, Measured]:
    """What stands beside results and was measured beside these very controls, of the scores that count now.

    Raises:
        ResultsError: If the file can't be read.
    """
    if own.path is None:
        return {}
    entries, known = read_entries(own.path), model_metric_names()
    found = {}
    for name, measured in read(own.path).items():
        entry = entries[name]
        if name not in known or entry.get("corrected", 0) != len(own.corrections):
            continue
        metric = load_model_metric(name)
        now = {
            role: controls[role].meta.model.digest for role in (*metric.controls, *metric.optional) if role in controls
        }
        if {role: of["digest"] for role, of in entry.get("controls", {}).items()} == now:
            found[name] = measured
    return found


def number_cells(measured: Measured) -> list[str]:
    """Value with interval, records, subjects, and what is said of it."""
    details = ", ".join(f"{name} {number(value, 3)}" for name, value in measured.details.items())
    interval = "" if measured.low is None else f" [{number(measured.low, 3)}, {number(measured.high, 3)}]"
    said = "; ".join(filter(None, (measured.verdict, measured.reason, details)))
    return [f"{number(measured.value, 3)}{interval}", str(measured.n), str(measured.n_subjects), said]
