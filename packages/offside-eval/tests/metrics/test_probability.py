from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from offside_eval.metrics import Sample, load_metric

METRIC = load_metric("probability")


def test_geometric_mean_of_the_tokens(sample: Callable[..., Sample]) -> None:
    logprobs = (math.log(0.5), math.log(0.25), math.log(0.125))
    assert METRIC.score(sample(answer_logprobs=logprobs)).value == pytest.approx((0.5 * 0.25 * 0.125) ** (1 / 3))


def test_a_broken_model_gives_no_probability_and_still_counts(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(answer_logprobs=(math.nan, -1.0))).value == 0.0
    assert METRIC.score(sample(answer_logprobs=(-math.inf, -1.0))).value == 0.0


def test_why_there_is_none(sample: Callable[..., Sample]) -> None:
    choice = load_metric("probability:choice")
    assert choice.score(sample()).reason == "the record has no choices"
    assert choice.score(sample(choices=("a", "b"), choice_logprobs=(-1.0, -1.0))).reason == "no choice is right"
