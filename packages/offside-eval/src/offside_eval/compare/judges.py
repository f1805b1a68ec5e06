"""What judges say of the models side by side, where they were asked: `offside-eval judge` writes it beside results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from offside_data.figures import counted as in_words
from offside_data.figures import number
from offside_data.plugins import require_known
from offside_eval.aggregate import clusters
from offside_eval.compare.measures import forgotten
from offside_eval.compare.models import ModelSet, name_of
from offside_eval.judge.agreement import agreements
from offside_eval.judge.rubric import HIGHEST
from offside_eval.judge.scores import PREFIX, judged, with_metric
from offside_eval.results import Results, counted
from offside_eval.statistics import mean_estimate

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("model", "setting", "judge", "claims to be forgotten", "what must survive", "n", "unscored")


def with_judge(results: Sequence[Results], metric: str) -> list[Results]:
    """Results with a judge's score among their samples, as the metric `judge:NAME`, from 0 to 1.

    Raises:
        UsageError: If no judge of that name scored any of them.
    """
    name = metric.removeprefix(PREFIX)
    found = {id(r): judged(r.path, (name,))[0] for r in results}
    if not any(found.values()):
        known = [j.metric for r in results for j in judged(r.path)[0]]
        require_known("metric", [metric], {*known, *(m for r in results for m in r.metrics)})
    return [replace(r, samples=with_metric(r.samples, found[id(r)][0])) if found[id(r)] else r for r in results]


def judge_rows(models: ModelSet) -> list[list[str]]:
    """Cells of a table: each model in each setting by each judge, from 0 to 10, with intervals over subjects."""
    rows = []
    for model in models.members:
        for results in model.results:
            for by in judged(results.path)[0]:
                samples = with_metric(counted(results.samples), by)
                samples = samples.filter(samples["variant"] == "plain")
                kept = samples.filter(samples["slice"].str.starts_with("keep:"))
                asked = [samples.filter(forgotten()), kept.unique("record_id", maintain_order=True)]
                scored = sum(len(frame) - frame[by.metric].null_count() for frame in asked)
                unscored = sum(frame[f"{by.metric}.skipped"].count() for frame in asked)
                cells = [_mean(frame, by.metric) for frame in asked]
                label = f"{model.title}\n{name_of(results)}"
                rows.append([label, results.setting, by.meta.name, *cells, str(scored), str(unscored)])
    return rows


def judge_notes(results: Sequence[Results]) -> list[str]:
    """What belongs beside these numbers: scores that can't be used, judges that weren't done, how far they agree."""
    notes = []
    for r in results:
        found, remarks = judged(r.path)
        notes += remarks
        begun = [j.meta.name for j in found if not j.meta.complete]
        notes += [f"{name_of(r)}: the judge {name} wasn't asked about all." for name in begun]
        for a in agreements(found):
            if not a.n:
                notes.append(f"{name_of(r)}: {' and '.join(a.judges)} scored no record in common.")
                continue
            if not a.varied:
                notes.append(
                    f"{name_of(r)}: {' and '.join(a.judges)}, {in_words(a.n, 'record')}: too few, or one score for "
                    "all: no agreement can be told."
                )
                continue
            told = f"alpha {number(a.alpha)}, Pearson {number(a.pearson)}, {number(a.apart)} points apart on average"
            notes.append(f"{name_of(r)}: {' and '.join(a.judges)}, {in_words(a.n, 'record')}: {told}.")
    return notes


def _mean(rows: pl.DataFrame, metric: str) -> str:
    scored = rows.filter(rows[metric].is_not_null())
    if scored.is_empty():
        return number(None)
    interval = mean_estimate(scored[metric].to_numpy(), clusters(scored)).interval()
    ends = [None if end is None else end * HIGHEST for end in (interval.low, interval.high)]
    told = "" if ends[0] is None and ends[1] is None else f"\n[{number(ends[0])}, {number(ends[1])}]"
    return f"{number(interval.value * HIGHEST)}{told}"
