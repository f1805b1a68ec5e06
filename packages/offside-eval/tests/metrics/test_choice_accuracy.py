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


def test_what_rounding_makes_of_equal_choices_is_a_tie(sample: Callable[..., Sample]) -> None:
    for other, kind in ((-1e-6, "tied"), (-1.5e-6, "correct")):
        assert METRIC.score(sample(choice_logprobs=(other, 0.0, -3.0), **OPTIONS)).kind == kind


@pytest.mark.parametrize(
    ("reply", "kind"), [("", "empty"), ("No idea.", "no_letter"), ("B", "correct"), ("A", "wrong"), ("C", "wrong")]
)
def test_kinds_of_letters(reply: str, kind: str, sample: Callable[..., Sample]) -> None:
    asked = sample(letter_options=OPTIONS["choices"], letter_correct=1, letter_reply=reply, **OPTIONS)
    for variant in ("letter", "paper"):
        score = load_metric(f"choice_accuracy:{variant}").score(asked)
        assert (score.value, score.kind) == (float(kind == "correct"), kind)


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
