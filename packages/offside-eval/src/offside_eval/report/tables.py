"""Everything the report shows as CSV files, one row a number."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from offside_data.files import whole_file
from offside_eval.aggregate import aggregate
from offside_eval.compare import Comparison, Figure
from offside_eval.compare.attacks import CURVE, learning_rate
from offside_eval.findings import Finding
from offside_eval.judge.scores import judged
from offside_eval.model_scores import beside
from offside_eval.report.breakdown import By, breakdown
from offside_eval.report.cases import Case

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets compute (CSV injection)."""
FIGURE = ("value", "low", "high", "n_scored", "n_skipped", "n_subjects", "n_seeds", "of", "reason")


def write_tables(folder: Path, comparison: Comparison, findings: Sequence[Finding], cases: Sequence[Case]) -> None:
    """Write the tables, each a CSV file named as below."""
    _write(folder / "comparison.csv", _comparison(comparison))
    _write(folder / "trajectories.csv", _trajectories(comparison))
    _write(folder / "attacks.csv", _attacks(comparison))
    _write(folder / "recoveries.csv", _recoveries(comparison))
    _write(folder / "breakdown.csv", _breakdowns(comparison))
    _write(folder / "earlier.csv", _earlier(comparison))
    _write(folder / "findings.csv", _findings(findings))
    _write(folder / "aggregates.csv", _aggregates(comparison))
    _write(folder / "model_metrics.csv", _model_metrics(comparison))
    _write(folder / "models.csv", _models(comparison))
    _write(folder / "judges.csv", _judges(comparison))
    _write(folder / "gallery.csv", _gallery(cases))


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    listed = list(rows)
    columns = list(dict.fromkeys(key for row in listed for key in row))
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows({key: _inert(value) for key, value in row.items()} for row in listed)


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, with an apostrophe before it; numbers stay as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _figure(figure: Figure) -> dict[str, Any]:
    values = figure.to_dict()
    return {key: values[key] for key in FIGURE}


def _comparison(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for setting in comparison.settings.values():
        for row in [*setting.rows, *setting.controls]:
            common = {
                "setting": setting.name,
                "model": row.label,
                "role": row.role,
                "method": row.model.method,
                "control": row in setting.controls,
                "collapsed": "; ".join(row.collapsed),
                "p_forgot": row.p_forgot,
                "seeds": " ".join(map(str, row.seeds)),
                "at_forgetting": row.level,
                "reached": row.reached,
            }
            for key, figure in row.figures.items():
                yield common | {"quantity": key} | _figure(figure)


def _trajectories(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """The plain value of every number at every point, and at every level that was reached."""
    for setting in comparison.settings.values():
        for candidate in setting.candidates:
            for run in candidate.runs:
                common = {"setting": setting.name, "method": candidate.label, "seed": run.seed}
                for row in run.points:
                    steps = 0 if row.is_control else row.model.steps
                    numbers = {key: quantity.value for key, quantity in row.quantities.items()}
                    yield common | {"steps": steps, "level": None, "collapsed": bool(row.collapsed)} | numbers
                for level in setting.levels:
                    found = run.at(level)
                    if found is not None:
                        yield common | {"level": level} | {key: quantity.value for key, quantity in found.items()}


def _attacks(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """What came back at the peak of each attack, what was known, and its rank, at every rate and number of steps."""
    for setting in comparison.settings.values():
        for outcome in setting.attacks:
            common: dict[str, Any] = {"setting": setting.name, "model": outcome.label, "role": outcome.role}
            common |= {"attack": outcome.attack, "retain_only_models": len(outcome.alike)}
            for key, quantity in outcome.quantities.items():
                yield common | {"quantity": key, "steps": None, "lr": None} | _figure(quantity.figure())
            for row in outcome.rows:
                for key in (key for key in CURVE if key in row.quantities):
                    place = {"quantity": key, "steps": row.model.steps, "lr": learning_rate(row)}
                    yield common | place | _figure(row.figure(key))


def _breakdowns(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for setting in comparison.settings.values():
        for by in get_args(By):
            found = breakdown(setting, comparison.metric, by)
            for line in found.lines if found else ():
                for column, cell in zip(found.columns if found else (), line.cells, strict=True):
                    common = {"setting": setting.name, "model": line.model, "by": by, "what": column}
                    yield common | {"knows": cell and cell.value, "n": cell.n if cell else 0}


def _recoveries(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """What attacks without training got out of each model, whole and by family of attempts."""
    for setting in comparison.settings.values():
        for recovery in setting.recoveries:
            row = recovery.row
            common: dict[str, Any] = {"setting": setting.name, "model": row.label, "role": row.role}
            common |= {"attack": recovery.attack}
            common |= {"collapsed": "; ".join(row.collapsed), "unfit": recovery.unfit, "seeds": len(row.seeds) or None}
            for key, quantity in recovery.quantities.items():
                yield common | {"family": None, "quantity": key} | _figure(quantity.figure())
            for family, told in (recovery.families or {}).items():
                for key, quantity in told.items():
                    yield common | {"family": family, "quantity": key} | _figure(quantity.figure())
            if recovery.unfit is not None:
                yield common


def _earlier(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """What is still known of requests that were made of the models before."""
    for setting in comparison.settings.values():
        for outcome in setting.earlier:
            request = outcome.request
            common = {
                "setting": setting.name,
                "model": outcome.row.label,
                "slice": request.slice,
                "request": request.in_words(),
                "n": request.n,
                "n_found": request.n_found,
            }
            for key, quantity in outcome.quantities.items():
                yield common | {"remark": request.remark, "quantity": key} | _figure(quantity.figure())


def _findings(findings: Sequence[Finding]) -> Iterable[dict[str, Any]]:
    for f in findings:
        yield {
            "finding": f.name,
            "statement": f.statement,
            "effect": f.effect,
            **_figure(f.figure),
            "threshold": f.threshold,
            "p": f.p,
            "verdict": f.verdict,
            "why": f.why,
            "models": "; ".join(f.models),
        }


def _aggregates(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for model in comparison.models.members:
        for results in model.results:
            # Those of the folder may count records by which another run was stopped.
            entries = results.aggregates or aggregate(results.samples, results.metrics, setting=results.setting)
            for entry in entries:
                kinds = "; ".join(f"{kind}: {n}" for kind, n in entry.kinds.items())
                yield {"model": model.path, "model_role": model.role} | dataclasses.asdict(entry) | {"kinds": kinds}


def _model_metrics(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for setting, label, numbers in beside(comparison):
        for name, measured in numbers.items():
            details = "; ".join(f"{key}: {value}" for key, value in measured.details.items())
            number = dataclasses.asdict(measured) | {"details": details}
            yield {"setting": setting, "model": label, "metric": name} | number


def _judges(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """What judges said, by slice and scope; unscored records by reason."""
    for model in comparison.models.members:
        for results in model.results:
            for by in judged(results.path)[0]:
                common = {"model": model.path, "setting": results.setting, "judge": by.meta.name}
                for entry in by.meta.aggregates:
                    reasons = "; ".join(f"{reason}: {n}" for reason, n in entry.reasons.items())
                    yield common | dataclasses.asdict(entry) | {"reasons": reasons}


def _models(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for model in comparison.models.members:
        parent = comparison.models.parents.get(model.digest)
        for results in model.results:
            data = results.meta.dataset
            yield {
                "model": model.path,
                "digest": model.digest,
                "role": model.role,
                "method": model.method,
                "parent": parent.path if parent else None,
                "steps": model.steps,
                "setting": results.setting,
                "forget_digest": results.forget_digest,
                "dataset": data.name,
                "dataset_version": data.version,
                "dataset_digest": data.digest,
                "results": results.path,
            }


def _gallery(cases: Sequence[Case]) -> Iterable[dict[str, Any]]:
    for case in cases:
        row = {
            "kind": case.kind.key,
            "setting": case.setting,
            "model": case.model,
            "record_id": case.record_id,
            "image_id": case.image_id,
            "variant": case.variant,
            "question": case.question,
            "gold": case.gold,
            "correction": case.correction,
        }
        yield row | {f"{answer.arm}_says": answer.text for answer in case.answers}
