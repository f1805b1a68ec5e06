from __future__ import annotations

import math
from typing import Any

import pytest

from offside_unlearn.methods.npo import Config


def by_hand(ratios: list[float], beta: float) -> float:
    return sum(2 / beta * math.log1p(math.exp(beta * ratio)) for ratio in ratios) / len(ratios)


def test_at_the_start_it_is_two_log_two_over_beta(harness: Any) -> None:
    output = harness.loss("npo", lambda_r=0)
    assert output.loss.item() == pytest.approx(2 * math.log(2) / 0.1, rel=1e-4)
    assert output.terms["forget_log_ratio"].item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("mean", [False, True])
def test_away_from_it_by_hand(harness: Any, mean: bool) -> None:
    frozen = harness.likelihoods(harness.batch.forget, adapter=False)
    output = harness.loss("npo", beta=0.9, lambda_r=0, average_log_prob=mean, moved=True)
    ratio = harness.likelihoods(harness.batch.forget) - frozen
    if mean:
        ratio = ratio / (harness.batch.forget.inputs["labels"] != -100).sum(1)
    assert output.loss.item() == pytest.approx(by_hand(ratio.tolist(), 0.9), rel=1e-3)


def test_the_retention_term_is_optional(harness: Any) -> None:
    with_it, without = harness.loss("npo"), harness.loss("npo", lambda_r=0)
    retain = harness.cross_entropy(harness.batch.retain)
    assert with_it.loss.item() - without.loss.item() == pytest.approx(retain, rel=1e-3)


def test_beta_must_be_positive() -> None:
    with pytest.raises(ValueError, match="beta"):
        Config(beta=0)
