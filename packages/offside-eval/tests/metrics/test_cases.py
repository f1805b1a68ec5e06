"""Inputs and the scores they must get, one JSON file a metric: by the library, or computed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_eval.metrics import METRICS, Sample, load_metric, metric_names

FOLDER = Path(__file__).with_name("cases")
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}-{i}-{case['case']}")
    for file in sorted(FOLDER.glob("*.json"))
    for i, case in enumerate(json.loads(file.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_case(name: str, case: dict[str, Any], sample: Callable[..., Sample]) -> None:
    metric = load_metric(":".join(filter(None, (name, case.get("variant")))))
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in case["input"].items()}
    score = metric.checked(name, sample(**fields))
    assert score.value == (None if case["score"] is None else pytest.approx(case["score"], abs=1e-6))
    assert (score.reason is None) == (score.value is not None)


def test_every_metric_and_variant_of_ours_has_cases() -> None:
    ours = [n for n in metric_names() if METRICS.load(n).__name__.startswith("offside_eval.")]
    covered: dict[str, set[str]] = {}
    for file in FOLDER.glob("*.json"):
        covered[file.stem] = {case.get("variant", "") for case in json.loads(file.read_text(encoding="utf-8"))}
    missing = {n: {"", *METRICS.load(n).Metric.variants} - covered.get(n, set()) for n in ours}
    assert {n: lacks for n, lacks in missing.items() if lacks} == {}
    assert covered.keys() <= set(ours)
