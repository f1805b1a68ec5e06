from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from offside_unlearn.methods.dpo import Config, Method

FROZEN = {"forget": {"a": (-1.5, 2), "b": (-4.0, 1)}, "refusal": {"a": (-9.0, 2), "b": (-3.0, 1)}}


def margins(current: dict[str, list[float]], frozen: dict[str, list[float]]) -> list[float]:
    """How much more the refusal has gained on the frozen model than the answer has, by record."""
    sides = [[c - f for c, f in zip(current[s], frozen[s], strict=True)] for s in ("refusal", "forget")]
    return [chosen - rejected for chosen, rejected in zip(*sides, strict=True)]


def by_hand(gains: list[float], beta: float) -> float:
    return sum(2 / beta * math.log1p(math.exp(-beta * gain)) for gain in gains) / len(gains)


def gains_of(fixed: Any) -> list[float]:
    current = {side: [sum(row) for row in fixed.token_logprobs(side)] for side in FROZEN}
    return margins(current, {side: [n for n, _ in numbers.values()] for side, numbers in FROZEN.items()})


@pytest.mark.parametrize("beta", [0.1, 0.9])
def test_on_fixed_logits(fixed: Any, beta: float) -> None:
    output = fixed.loss("dpo", records=FROZEN, beta=beta, lambda_r=0)
    assert output.loss.item() == pytest.approx(by_hand(gains_of(fixed), beta), abs=1e-5)


@pytest.mark.parametrize("side", ["forget", "refusal"])
def test_each_frozen_number_counts_and_each_way(fixed: Any, side: str) -> None:
    """As likely before as now is no gain; less likely before makes a refusal, and spoils an answer."""
    before = fixed.loss("dpo", records=FROZEN, lambda_r=0).loss.item()
    lower = {record: (total - 5, count) for record, (total, count) in FROZEN[side].items()}
    after = fixed.loss("dpo", records={**FROZEN, side: lower}, lambda_r=0).loss.item()
    assert (after < before) == (side == "refusal")
    assert after != pytest.approx(before)


def test_a_step_makes_the_refusal_likelier_and_the_answer_less_likely(fixed: Any) -> None:
    beta = 0.5
    loss = fixed.loss("dpo", records=FROZEN, beta=beta, lambda_r=0).loss
    pushes = [1 / (1 + math.exp(beta * gain)) for gain in gains_of(fixed)]  # 2 sigmoid(...) / 2 records
    weights = [[push] * len(row) for push, row in zip(pushes, fixed.token_logprobs(), strict=True)]
    refused = [[-weight for weight in row] for row in weights]
    gradients = torch.autograd.grad(loss, [fixed.logits["forget"], fixed.logits["refusal"]])
    torch.testing.assert_close(gradients[0], fixed.gradient_by_hand(weights))
    torch.testing.assert_close(gradients[1], fixed.gradient_by_hand(refused, "refusal"))


def test_at_the_start_it_is_two_log_two_over_beta(harness: Any) -> None:
    output = harness.loss("dpo", lambda_r=0)
    assert output.loss.item() == pytest.approx(2 * math.log(2) / 0.1, rel=1e-4)
    assert output.terms["forget_log_ratio"].item() == pytest.approx(0, abs=1e-3)
    assert output.terms["refusal_log_ratio"].item() == pytest.approx(0, abs=1e-3)


def test_away_from_it_by_hand_with_what_stays(harness: Any) -> None:
    sides = {"forget": harness.batch.forget, "refusal": harness.batch.refusal}
    frozen = {name: harness.likelihoods(side, adapter=False).tolist() for name, side in sides.items()}
    output = harness.loss("dpo", beta=0.9, lambda_r=2.0, moved=True)
    current = {name: harness.likelihoods(side).tolist() for name, side in sides.items()}
    expected = by_hand(margins(current, frozen), 0.9) + 2 * harness.cross_entropy(harness.batch.retain)
    assert output.loss.item() == pytest.approx(expected, rel=1e-3)


def test_it_needs_a_frozen_number_for_each_answer_and_no_second_model() -> None:
    needs = Method(Config()).needs()
    assert needs.forget
    assert needs.refusal
    assert needs.record_reference == {"forget", "refusal"}
    assert not needs.token_reference
    assert not Method(Config(lambda_r=0)).needs().retain


@pytest.mark.parametrize("bad", [{"beta": 0}, {"lambda_r": -1}])
def test_bad_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)
