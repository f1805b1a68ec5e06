from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from sklearn.metrics import roc_auc_score

from offside_eval.metrics import Sample, load_metric

METRIC = load_metric("rank")


def score(sample: Callable[..., Sample], gold: tuple[float, ...], others: tuple[float, ...]) -> float | None:
    return METRIC.score(sample(answer_logprobs=gold, alternative_logprobs=others)).value


def test_the_share_of_others_that_are_less_likely_a_token(sample: Callable[..., Sample]) -> None:
    gold = (-1.0, -3.0)  # -2 a token
    assert score(sample, gold, (-3.0, -2.5, -9.0)) == 1.0
    assert score(sample, gold, (-3.0, -1.0, -0.5)) == pytest.approx(1 / 3)
    assert score(sample, gold, (-1.0,)) == 0.0


def test_equally_likely_counts_half(sample: Callable[..., Sample]) -> None:
    assert score(sample, (-2.0,), (-2.0, -2.0)) == 0.5
    assert score(sample, (-2.0,), (-2.0 + 1e-9, -3.0)) == 0.75


def test_the_mean_is_the_area_under_the_curve(sample: Callable[..., Sample]) -> None:
    """With as many others everywhere, and against sklearn within a single record."""
    dice = random.Random(3)
    for _ in range(50):
        gold, others = dice.gauss(-1, 1), tuple(dice.choice([dice.gauss(-1, 1), -1.0]) for _ in range(5))
        expected = roc_auc_score([1, 0, 0, 0, 0, 0], [gold, *others])
        assert score(sample, (gold,), others) == pytest.approx(expected, abs=1e-6)


def test_a_flat_prior_is_told_from_a_memory_though_its_probability_is_the_same(sample: Callable[..., Sample]) -> None:
    unlikely = (-7.0,)
    assert load_metric("probability").score(sample(answer_logprobs=unlikely)).value == pytest.approx(math.exp(-7))
    assert score(sample, unlikely, (-9.0, -9.5, -8.0)) == 1.0
    assert score(sample, unlikely, (-7.0, -7.0, -7.0)) == 0.5


def test_a_broken_model_prefers_nothing(sample: Callable[..., Sample]) -> None:
    for gold, others in (((math.nan,), (-1.0,)), ((-1.0,), (math.nan, -2.0)), ((-math.inf,), (-1.0,))):
        found = METRIC.score(sample(answer_logprobs=gold, alternative_logprobs=others))
        assert (found.value, found.kind) == (0.5, "broken")


def test_without_others_there_is_a_reason(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample(answer_logprobs=(-1.0,))).reason == "the record has no perturbed answers"


def test_where_it_stands_has_a_name(sample: Callable[..., Sample]) -> None:
    for others, kind in (((-3.0,), "first"), ((-1.0,), "last"), ((-3.0, -1.0), "among"), ((-2.0 + 1.5e-6,), "last")):
        assert METRIC.score(sample(answer_logprobs=(-2.0,), alternative_logprobs=others)).kind == kind
