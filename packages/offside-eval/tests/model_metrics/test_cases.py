"""Metrics of whole models on small results whose numbers are known: by the library, or computed by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score, roc_curve

from offside_eval.model_metrics import MODEL_METRICS, ComparedMetric, Measured, load_model_metric, model_metric_names
from offside_eval.model_metrics._membership import _Pairs, matched
from offside_eval.model_metrics.forget_quality import ks_interval, verdict
from offside_eval.model_metrics.js_distance import distance
from offside_eval.model_scores import measure
from offside_eval.results import Results

FOLDER = Path(__file__).with_name("cases")
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}-{case['case']}")
    for file in sorted(FOLDER.glob("*.json"))
    for case in json.loads(file.read_text(encoding="utf-8"))
]
Saved = Callable[..., Any]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_case(name: str, case: dict[str, Any], make_results: Callable[..., Results], saved: Saved) -> None:
    content = case["input"]
    if issubclass(MODEL_METRICS.load(name).Metric, ComparedMetric):
        setting = case.get("setting", "complete")
        own = make_results("own", setting=setting, **content["own"])
        controls = {role: make_results(role, setting=setting, **c) for role, c in content["controls"].items()}
    else:
        own = saved(content, content["samples"])
        controls = {role: saved(control, content["samples"]) for role, control in content.get("controls", {}).items()}
    found = measure(own, [name], controls)[name]
    assert found.value == (None if case["value"] is None else pytest.approx(case["value"], abs=1e-6))
    assert case.get("verdict") in (None, found.verdict)
    assert {key: found.details[key] for key in case.get("details", {})} == pytest.approx(case.get("details", {}))
    for count in ("n", "n_skipped", "n_subjects"):
        assert getattr(found, count) == case.get(count, getattr(found, count)), count
    assert (found.low is None) or found.low <= found.value <= found.high


def test_every_metric_of_ours_has_cases() -> None:
    ours = {n for n in model_metric_names() if MODEL_METRICS.load(n).__name__.startswith("offside_eval.")}
    assert {file.stem for file in FOLDER.glob("*.json")} == ours


@pytest.mark.parametrize("name", model_metric_names())
def test_a_missing_control_or_score_is_a_reason_and_no_number(name: str, saved: Saved) -> None:
    metric = load_model_metric(name)
    found = measure(saved({}, [{"record_id": "r", "subject_id": "s"}]), [name], {})[name]
    assert found.value is None
    assert ("are missing" if metric.controls else "has no") in found.reason
    other = saved({}, [{"record_id": "r", "subject_id": "s"}])
    other.meta.dataset.digest = "another"
    if metric.controls:
        found = measure(other, [name], {role: saved({}, [{"record_id": "r"}]) for role in metric.controls})[name]
        assert "another dataset" in found.reason


def test_a_number_or_a_reason() -> None:
    for wrong in ({"value": None}, {"value": 1.0, "reason": "none"}):
        with pytest.raises(ValueError, match="either a value or the reason"):
            Measured(**wrong)


def test_the_distance_is_scipys_and_lumping_only_lowers_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        p, q = rng.dirichlet(np.full(40, 0.3)), rng.dirichlet(np.full(40, 0.3))
        exact = jensenshannon(p, q, base=2)
        tops = [{int(i): math.log(v[i]) for i in np.argsort(-v)} for v in (p, q)]
        assert distance(*tops)[0] == pytest.approx(exact, abs=1e-6)
        for k in (1, 5, 20):
            cut = [dict(list(top.items())[:k]) for top in tops]
            lumped, unseen = distance(*cut)
            assert lumped <= exact + 1e-9
            assert 0 <= unseen <= 1
    assert distance({1: 0.0}, {2: 0.0}) == (1.0, 0.0)
    half = math.log(0.5)
    assert distance({1: half}, {2: half}) == (0.0, 0.5)  # the other half of each may be what the other one has


def test_the_interval_of_ks_draws_subjects_and_both_models_at_once() -> None:
    """As a plain loop has it, drawn independently."""
    rng = np.random.default_rng(1)
    subjects = [f"s{i % 7}" for i in range(42)]
    one, other = np.round(rng.normal(size=42), 1), np.round(rng.normal(0.6, 1, size=42), 1)
    low, high = ks_interval(one, other, subjects, draws=4000)
    of = {s: [i for i, x in enumerate(subjects) if x == s] for s in set(subjects)}
    found = []
    for _ in range(1500):
        index = [i for s in rng.choice(sorted(of), size=7) for i in of[s]]
        a, b = np.sort(one[index]), np.sort(other[index])
        grid = np.concatenate([a, b])
        f = [np.searchsorted(x, grid, side="right") / len(x) for x in (a, b)]
        found.append(np.abs(f[0] - f[1]).max())
    assert (low, high) == pytest.approx(np.quantile(found, [0.025, 0.975]).tolist(), abs=0.04)
    assert ks_interval(one, other, ["one"] * 42) == (None, None)


def test_a_high_p_value_alone_is_no_likeness() -> None:
    assert verdict(0.9, 0.15, 40) == "alike"
    assert verdict(0.9, 0.35, 40) == "can't tell"
    assert verdict(0.01, 0.1, 40) == "differs"
    assert verdict(1e-9, 1.0, 5) == "can't tell"


def test_auc_and_tpr_are_sklearns_and_the_interval_draws_subjects() -> None:
    rng = np.random.default_rng(2)
    for n, digits in ((150, 1), (300, 6)):
        members, others = np.round(rng.normal(0.5, 1, n), digits), np.round(rng.normal(0, 1, n), digits)
        rows = [({"subject_id": f"s{i % 11}"}, {"subject_id": f"s{(i + 3) % 17}"}) for i in range(n)]
        pairs = _Pairs.of([(*pair, a, b) for pair, a, b in zip(rows, members, others, strict=True)])
        truth, scores = np.repeat([1, 0], n), np.concatenate([members, others])
        assert pairs.auc() == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
        fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
        assert pairs.tpr() == pytest.approx(tpr[fpr <= 0.01].max(), abs=1e-6)
    found = []
    for _ in range(250):
        often = dict(zip(*np.unique(rng.integers(0, 17, 17), return_counts=True), strict=True))
        weights = [often.get(int(row["subject_id"][1:]), 0) for side in (0, 1) for row in [p[side] for p in rows]]
        found.append(roc_auc_score(truth, scores, sample_weight=weights))
    assert pairs.n_subjects == 17
    assert pairs.interval() == pytest.approx(np.quantile(found, [0.025, 0.975]).tolist(), abs=0.03)


def test_partners_are_of_one_attribute_and_as_long() -> None:
    def row(name: str, group: str, length: int, attribute: str = "fee") -> dict[str, Any]:
        return {"record_id": name, "group": group, "config": "text", "attribute": attribute, "logprobs": [0.0] * length}

    rows = [row("m1", "member", 10), row("m2", "member", 12), row("m3", "member", 12, "club")]
    rows += [row("n1", "non_member", 12), row("n2", "non_member", 9), row("n3", "non_member", 30)]
    pairs, alone = matched(rows)
    assert {(a["record_id"], b["record_id"]) for a, b in pairs} == {("m1", "n2"), ("m2", "n1")}
    assert alone == 2
    assert matched(rows[::-1])[0] != []
