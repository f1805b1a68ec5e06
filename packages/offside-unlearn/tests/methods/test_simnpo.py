from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from offside_unlearn.methods.simnpo import Config, Method


def by_hand(means: list[float], beta: float, gamma: float) -> float:
    return sum(2 / beta * math.log1p(math.exp(beta * mean + gamma)) for mean in means) / len(means)


def means_of(rows: list[list[float]]) -> list[float]:
    return [sum(row) / len(row) for row in rows]


@pytest.mark.parametrize(("beta", "gamma"), [(4.5, 0.0), (0.7, 1.5)])
def test_on_fixed_logits(fixed: Any, beta: float, gamma: float) -> None:
    output = fixed.loss("simnpo", beta=beta, gamma=gamma, lambda_r=0)
    means = means_of(fixed.token_logprobs())
    assert output.loss.item() == pytest.approx(by_hand(means, beta, gamma), abs=1e-5)
    assert output.terms["forget_mean_logprob"].item() == pytest.approx(sum(means) / 2, abs=1e-5)


def test_the_length_of_an_answer_does_not_count(fixed: Any) -> None:
    # All of the first record's tokens as likely as the second's only one: the loss sees two equal records.
    with torch.no_grad():
        fixed.logits["forget"].zero_()
        for row, place, token in ((0, 0, 1), (0, 1, 3), (1, 1, 2)):
            fixed.logits["forget"][row, place, token] = 3.0
    (mean, other) = means_of(fixed.token_logprobs())
    assert mean == pytest.approx(other)
    output = fixed.loss("simnpo", beta=1.0, lambda_r=0)
    assert output.loss.item() == pytest.approx(by_hand([mean], 1.0, 0.0), abs=1e-5)


def test_gamma_keeps_the_push_up_for_longer(fixed: Any) -> None:
    means = means_of(fixed.token_logprobs())
    for gamma in (0.0, 2.0):
        output = fixed.loss("simnpo", beta=1.0, gamma=gamma, lambda_r=0)
        pushes = [1 / (1 + math.exp(-mean - gamma)) for mean in means]  # 2 sigmoid(...) / 2 records
        weights = [[push / 2] * 2 if row == 0 else [push] for row, push in enumerate(pushes)]
        torch.testing.assert_close(fixed.gradient_of(output.loss), fixed.gradient_by_hand(weights))


def test_there_is_no_reference() -> None:
    needs = Method(Config()).needs()
    assert needs.retain
    assert not needs.record_reference
    assert not needs.token_reference


@pytest.mark.parametrize("retention", ["ce", "kl"])
def test_what_stays_counts_with_its_weight(harness: Any, retention: str) -> None:
    output = harness.loss("simnpo", lambda_r=3.0, retention=retention, moved=True)
    means = means_of(harness.token_logprobs(harness.batch.forget))
    term = output.terms[f"retain_{retention}"].item()
    assert output.loss.item() == pytest.approx(by_hand(means, 4.5, 0.0) + 3 * term, rel=1e-4)
    if retention == "ce":
        assert term == pytest.approx(harness.cross_entropy(harness.batch.retain), rel=1e-4)
    assert term > 0


@pytest.mark.parametrize("bad", [{"beta": 0}, {"beta": -1}, {"gamma": -0.1}, {"lambda_r": -1}])
def test_bad_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)
