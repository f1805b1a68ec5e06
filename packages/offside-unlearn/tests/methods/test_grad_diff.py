from __future__ import annotations

from typing import Any

import pytest

from offside_unlearn.methods.grad_diff import Config, Method


@pytest.mark.parametrize("lambda_r", [0.5, 1.0, 3.0])
def test_it_adds_the_retain_answers_with_their_weight(harness: Any, lambda_r: float) -> None:
    forget, retain = harness.cross_entropy(harness.batch.forget), harness.cross_entropy(harness.batch.retain)
    output = harness.loss("grad_diff", lambda_r=lambda_r)
    assert output.loss.item() == pytest.approx(-forget + lambda_r * retain, rel=1e-4)
    assert output.terms.keys() == {"forget_ce", "retain_ce"}


def test_the_retention_term_can_be_a_kl(harness: Any) -> None:
    output = harness.loss("grad_diff", retention="kl")
    assert output.terms["retain_kl"].item() == pytest.approx(0, abs=1e-5)
    assert harness.loss("grad_diff", retention="kl", moved=True).terms["retain_kl"].item() > 0


def test_without_a_weight_it_is_gradient_ascent(harness: Any) -> None:
    assert not Method(Config(lambda_r=0)).needs().retain
    assert harness.loss("grad_diff", lambda_r=0).loss.item() == pytest.approx(harness.loss("grad_ascent").loss.item())


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="lambda_r"):
        Config(lambda_r=-1)
