from __future__ import annotations

import math
from collections.abc import Callable

from offside_eval.metrics import Sample, load_metric

METRIC = load_metric("choice_accuracy")
OPTIONS = {"choices": ("left", "right", "both"), "correct_choice": 1}


def test_the_likeliest_choice_counts(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(choice_logprobs=(-2.0, -1.0, -3.0), **OPTIONS)).value == 1.0
    assert METRIC.score(sample(choice_logprobs=(-0.5, -1.0, -3.0), **OPTIONS)).kind == "wrong"


def test_of_equal_choices_the_first_is_chosen(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(choice_logprobs=(-1.0, -1.0, -3.0), **OPTIONS)).value == 0.0


def test_a_broken_model_is_wrong(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(choice_logprobs=(math.nan,) * 3, **OPTIONS)).kind == "broken"


def test_without_choices_there_is_a_reason(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample()).reason == "the record has no choices"
    assert METRIC.score(sample(choices=("a", "b"))).reason == "no choice is right"
