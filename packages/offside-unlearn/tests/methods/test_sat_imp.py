from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from offside_unlearn.methods.sat_imp import Config, Method


def weights_of(rows: list[list[float]], saturation: float, importance: float) -> list[list[float]]:
    return [[math.exp(x) ** saturation * (1 - math.exp(x)) ** importance for x in row] for row in rows]


def weighted(rows: list[list[float]], *exponents: float) -> float:
    pairs = zip(weights_of(rows, *exponents), rows, strict=True)
    return sum(w * x for ws, xs in pairs for w, x in zip(ws, xs, strict=True))


@pytest.mark.parametrize("exponents", [(5.0, 0.1), (1.0, 2.0), (0.0, 1.0)])
@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 3), ("sum", 2)])
def test_on_fixed_logits(fixed: Any, exponents: tuple[float, float], reduction: str, divisor: int) -> None:
    saturation, importance = exponents
    output = fixed.loss("sat_imp", saturation=saturation, importance=importance, reduction=reduction, lambda_r=0)
    rows = fixed.token_logprobs()
    assert output.loss.item() == pytest.approx(weighted(rows, *exponents) / divisor, abs=1e-5)
    assert output.terms["forget_ce"].item() == pytest.approx(-sum(map(sum, rows)) / 3, abs=1e-5)


def test_no_gradient_flows_through_the_weights(fixed: Any) -> None:
    output = fixed.loss("sat_imp", saturation=2.0, importance=0.5, lambda_r=0)
    weights = [[w / 3 for w in row] for row in weights_of(fixed.token_logprobs(), 2.0, 0.5)]
    torch.testing.assert_close(fixed.gradient_of(output.loss), fixed.gradient_by_hand(weights))


def test_tokens_are_left_alone_at_both_ends(fixed: Any) -> None:
    """The unlikely as with wga, and the certain."""
    with torch.no_grad():
        fixed.logits["forget"][1, 1] = torch.tensor([9.0, 9.0, -9.0, 9.0])
        fixed.logits["forget"][0, 0] = torch.tensor([-30.0, 30.0, -30.0, -30.0])
        fixed.logits["forget"][0, 1] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    gradient = fixed.gradient_of(fixed.loss("sat_imp", saturation=2.0, importance=1.0, lambda_r=0).loss).abs()
    assert torch.isfinite(gradient).all()
    assert gradient[1].max() < 1e-6
    assert gradient[0, 0].max() < 1e-6
    assert gradient[0, 1].max() > 0.01


def test_without_importance_it_is_wga(fixed: Any) -> None:
    ours = fixed.loss("sat_imp", saturation=2.0, importance=0, lambda_r=0).loss.item()
    assert ours == pytest.approx(fixed.loss("wga", beta=2.0, lambda_r=0).loss.item())


@pytest.mark.parametrize("retention", ["ce", "kl"])
def test_what_stays_counts_with_its_weight(harness: Any, retention: str) -> None:
    output = harness.loss("sat_imp", saturation=0.5, lambda_r=3.0, retention=retention, moved=True)
    rows = harness.token_logprobs(harness.batch.forget)
    term = output.terms[f"retain_{retention}"].item()
    assert output.loss.item() == pytest.approx(weighted(rows, 0.5, 0.1) / sum(map(len, rows)) + 3 * term, rel=1e-4)
    if retention == "ce":
        assert term == pytest.approx(harness.cross_entropy(harness.batch.retain), rel=1e-4)
    assert term > 0


def test_it_uses_no_frozen_model() -> None:
    needs = Method(Config()).needs()
    assert not needs.record_reference
    assert not needs.token_reference


@pytest.mark.parametrize("bad", [{"saturation": -0.1}, {"importance": -0.1}, {"lambda_r": -1}])
def test_bad_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)
