from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from offside_unlearn.methods.wga import Config, Method


def weights_of(rows: list[list[float]], beta: float) -> list[list[float]]:
    return [[math.exp(logprob) ** beta for logprob in row] for row in rows]


def weighted(rows: list[list[float]], beta: float) -> float:
    return sum(w * x for ws, xs in zip(weights_of(rows, beta), rows, strict=True) for w, x in zip(ws, xs, strict=True))


@pytest.mark.parametrize("beta", [0.5, 1.0, 5.0])
@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 3), ("sum", 2)])
def test_on_fixed_logits(fixed: Any, beta: float, reduction: str, divisor: int) -> None:
    output = fixed.loss("wga", beta=beta, reduction=reduction, lambda_r=0)
    rows = fixed.token_logprobs()
    assert output.loss.item() == pytest.approx(weighted(rows, beta) / divisor, abs=1e-5)
    assert output.terms["forget_ce"].item() == pytest.approx(-sum(map(sum, rows)) / 3, abs=1e-5)


def test_no_gradient_flows_through_the_weights(fixed: Any) -> None:
    output = fixed.loss("wga", beta=2.0, lambda_r=0)
    weights = [[w / 3 for w in row] for row in weights_of(fixed.token_logprobs(), 2.0)]
    torch.testing.assert_close(fixed.gradient_of(output.loss), fixed.gradient_by_hand(weights))


def test_an_unlikely_token_is_left_alone(fixed: Any) -> None:
    """Where ascent pushes on."""
    with torch.no_grad():
        fixed.logits["forget"][1, 1] = torch.tensor([9.0, 9.0, -9.0, 9.0])
    assert fixed.gradient_of(fixed.loss("wga", lambda_r=0).loss)[1].abs().max() < 1e-6
    assert fixed.gradient_of(fixed.loss("grad_ascent").loss)[1].abs().max() > 0.1


def test_without_a_weight_it_is_gradient_ascent(fixed: Any) -> None:
    assert fixed.loss("wga", beta=0, lambda_r=0).loss.item() == pytest.approx(fixed.loss("grad_ascent").loss.item())


@pytest.mark.parametrize("retention", ["ce", "kl"])
def test_what_stays_counts_with_its_weight(harness: Any, retention: str) -> None:
    output = harness.loss("wga", lambda_r=3.0, retention=retention, moved=True)
    rows = harness.token_logprobs(harness.batch.forget)
    term = output.terms[f"retain_{retention}"].item()
    assert output.loss.item() == pytest.approx(weighted(rows, 1.0) / sum(map(len, rows)) + 3 * term, rel=1e-4)
    if retention == "ce":
        assert term == pytest.approx(harness.cross_entropy(harness.batch.retain), rel=1e-4)
    assert term > 0


def test_it_uses_no_frozen_model() -> None:
    needs = Method(Config()).needs()
    assert not needs.record_reference
    assert not needs.token_reference


@pytest.mark.parametrize("bad", [{"beta": -0.1}, {"lambda_r": -1}])
def test_bad_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)
