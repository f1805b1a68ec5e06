"""Put models side by side: what was forgotten, what survived, what came back; with controls and intervals.

`compare(results)` is the whole of it; the definitions are in `measures` and `relearning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from offside_data.figures import counted
from offside_data.plugins import require_known
from offside_data.settings import SETTINGS
from offside_eval.compare.checks import check_comparable, correction_notes, notes_on
from offside_eval.compare.comparison import Comparison, SettingComparison
from offside_eval.compare.judges import judge_notes, with_judge
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import identify_models, load_all, without_held_out
from offside_eval.compare.quantities import Figure, Quantity
from offside_eval.compare.rows import setting_rows
from offside_eval.compare.trajectories import LEVELS, Candidate, Trajectory
from offside_eval.config import HEADLINE_METRIC
from offside_eval.judge.scores import PREFIX
from offside_eval.metrics import load_metric, metric_names
from offside_eval.mismatch import MismatchError
from offside_eval.results import Results

__all__ = [
    "HEADLINE_METRIC",
    "LEVELS",
    "Candidate",
    "Comparison",
    "Figure",
    "MismatchError",
    "ModelRow",
    "Quantity",
    "SettingComparison",
    "Trajectory",
    "compare",
]


def compare(
    results: Iterable[Results | str | Path],
    *,
    vanilla: Results | str | Path | None = None,
    retain_only: Results | str | Path | None = None,
    relearned: Mapping[str, str] | None = None,
    metric: str = HEADLINE_METRIC,
    allow_mismatch: bool = False,
    at: Sequence[float] = LEVELS,
) -> Comparison:
    """Compare models that were evaluated in one or several settings.

    Args:
        results: Results folders or loaded results, the controls' among them. Roles come from each
            `results.json`. A control needs to be evaluated in one setting only, as long as it was
            asked the same records.
        vanilla: Results of the vanilla model, whatever role they name.
        retain_only: Results of the retain-only model, likewise.
        relearned: Results folder of a relearned model -> that of the model it came from, where the
            run manifest doesn't say.
        metric: The per-record score to compute everything from; `judge:NAME` is what that judge said.
        allow_mismatch: Compare models that were unlearned on different records all the same.
        at: Shares of forgetting at which methods are compared of which there are trajectories.

    Raises:
        UsageError: If there are no results, a control is there twice, or a metric is unknown.
        MismatchError: If models were unlearned on different records or evaluated on different data.
    """
    loaded = load_all(results)
    places = {
        role: None if chosen is None else _place(loaded, chosen)
        for role, chosen in (("vanilla", vanilla), ("retain_only", retain_only))
    }
    if metric.startswith(PREFIX):
        loaded = with_judge(loaded, metric)
    else:
        require_known("metric", [metric], {name for r in loaded for name in r.metrics})
    loaded, held_out = without_held_out(loaded)
    given = {role: None if place is None else loaded[place] for role, place in places.items()}
    models = identify_models(loaded, vanilla=given["vanilla"], retain_only=given["retain_only"], relearned=relearned)
    notes = check_comparable(loaded, models, allow=allow_mismatch) + notes_on(loaded, models)
    if held_out:
        notes.append(
            f"Left out, whatever was asked: {counted(held_out, 'record')} by which runs were stopped or chosen."
        )
    if metric.partition(":")[0] in metric_names() and load_metric(metric.partition(":")[0]).words_only:
        notes.append(
            f"{metric} looks for words, not what is said: a model that denies or lists the values has most of them. "
            "value_match tells these apart."
        )
    notes += correction_notes(loaded) + judge_notes(loaded)
    names = {r.setting for r in loaded}
    order = [name for name in SETTINGS if name in names] + sorted(names - set(SETTINGS))
    settings = {name: setting_rows(name, models, metric, at) for name in order}
    back = [row for setting in settings.values() for row in setting.rows if row.role == "relearned"]
    for name, setting in settings.items():
        candidates = [candidate.with_relearned(back, models.parents) for candidate in setting.candidates]
        settings[name] = replace(setting, candidates=candidates)
    return Comparison(metric, settings, models, notes)


def _place(loaded: list[Results], chosen: Results | str | Path) -> int:
    """Where `chosen` stands in `loaded`; it is added if it isn't there yet."""
    for i, r in enumerate(loaded):
        if r is chosen:
            return i
        if not isinstance(chosen, Results) and r.path and r.path.resolve() == Path(chosen).resolve():
            return i
    loaded += load_all([chosen])
    return len(loaded) - 1
