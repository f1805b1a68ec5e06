from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from offside_eval.metrics import Sample, load_metric

METRIC = load_metric("choice_accuracy")
OPTIONS = {"choices": ("left", "right", "both"), "correct_choice": 1}


def test_the_likeliest_choice_counts(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(choice_logprobs=(-2.0, -1.0, -3.0), **OPTIONS)).value == 1.0
    assert METRIC.score(sample(choice_logprobs=(-0.5, -1.0, -3.0), **OPTIONS)).kind == "wrong"


@pytest.mark.parametrize("correct", [0, 1])
def test_a_tie_is_no_hit_but_what_guessing_among_the_tied_gives(correct: int, sample: Callable[..., Sample]) -> None:
    tied = OPTIONS | {"correct_choice": correct}
    score = METRIC.score(sample(choice_logprobs=(-1.0, -1.0, -3.0), **tied))
    assert (score.value, score.kind) == (0.5, "tied")
    assert METRIC.score(sample(choice_logprobs=(-1.0, -2.0, -1.0), **OPTIONS)).value == 0.0
    assert METRIC.score(sample(choice_logprobs=(-1.0,) * 3, **tied)).value == pytest.approx(1 / 3)


def test_the_sum_variant_weighs_whole_choices(sample: Callable[..., Sample]) -> None:
    weighed = {"choice_logprobs": (-2.0, -1.0, -3.0), "choice_lengths": (1, 3, 1)}
    assert METRIC.score(sample(**weighed, **OPTIONS)).value == 1.0
    assert load_metric("choice_accuracy:sum").score(sample(**weighed, **OPTIONS)).kind == "wrong"  # -3 < -2
    even = {"choice_logprobs": (-3.0, -1.0, -9.0), "choice_lengths": (1, 3, 1)}
    assert load_metric("choice_accuracy:sum").score(sample(**even, **OPTIONS)).kind == "tied"


def test_a_broken_model_is_wrong(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(choice_logprobs=(math.nan,) * 3, **OPTIONS)).kind == "broken"


def test_without_choices_there_is_a_reason(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample()).reason == "the record has no choices"
    assert METRIC.score(sample(choices=("a", "b"))).reason == "no choice is right"


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("It isn't B.", 0.0),
        ("(B) is wrong.", 0.0),
        ("It is not true that the fee was €35.00m.", 0.0),
        ("None of them, not even €35.00m", 0.0),
        ("B, not A", 1.0),
        ("The fee was €35.00m", 1.0),
    ],
)
def test_a_choice_that_is_denied_is_not_chosen(sample: Callable[..., Sample], reply: str, right: float) -> None:
    asked = sample(
        choices=("€1m", "€35.00m"), correct_choice=1, letter_options=("€1m", "€35.00m"), letter_correct=1,
        letter_reply=reply,
    )  # fmt: skip
    assert load_metric("choice_accuracy:letter").score(asked).value == right
