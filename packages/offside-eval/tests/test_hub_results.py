"""What goes to the Hub's leaderboards is the better the higher it is, over what was to survive."""

from __future__ import annotations

from collections.abc import Callable

import yaml
from huggingface_hub import parse_eval_result_entries

from offside_eval.hub_results import eval_results_yaml
from offside_eval.metrics import load_metric
from offside_eval.results import Results


def test_only_what_is_better_the_higher_it_is(make_results: Callable[..., Results]) -> None:
    results = make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.25})
    entries = parse_eval_result_entries(yaml.safe_load(eval_results_yaml(results)))
    assert entries
    metrics = {(entry.notes or "").partition(",")[0] for entry in entries}
    assert "value_match" in metrics
    assert all(load_metric(metric).higher_is_better["keep"] for metric in metrics)
    assert {entry.dataset_id for entry in entries} == {results.meta.dataset.name}
    tasks = {entry.task_id for entry in entries}
    assert "multimodal-retain" in tasks
    assert "multimodal-forget" not in tasks
    kept = next(a for a in results.aggregates if a.slice == "keep:multimodal/retain" and a.metric == "value_match")
    told = next(e for e in entries if e.task_id == "multimodal-retain" and e.notes.startswith("value_match"))
    assert abs(told.value - kept.value) < 1e-6
