from __future__ import annotations

from typing import Any

import pytest
import torch
from fixed_logits import LABELS, LOGITS, OTHER, PLACES, cross_entropy, predicted, softmax

from offside_unlearn import losses
from offside_unlearn.methods.undial import Config, Method


def by_hand(frozen: list[float], logits: list[float], token: int, gamma: float) -> float:
    lowered = [z - gamma * (v == token) for v, z in enumerate(frozen)]
    return cross_entropy(softmax(lowered), logits)


def loss(logits: torch.Tensor, gamma: float, **options: Any) -> torch.Tensor:
    return losses.undial(losses.token_logprobs(OTHER, LABELS), logits, LABELS, gamma=gamma, **options)


@pytest.mark.parametrize("gamma", [0.5, 3.0, 30.0])
def test_on_fixed_logits_by_hand(gamma: float) -> None:
    frozen = OTHER.tolist()
    each = [by_hand(frozen[row][t], LOGITS[row, t].tolist(), token, gamma) for row, t, token in PLACES]
    assert loss(LOGITS, gamma).item() == pytest.approx(sum(each) / 5, rel=1e-5)
    assert loss(LOGITS, gamma, tokens=10.0).item() == pytest.approx(sum(each) / 10, rel=1e-5)


def test_question_and_padding_count_for_nothing() -> None:
    elsewhere = LOGITS.clone()
    answers = {(row, t) for row, t, _ in PLACES}
    for row in range(2):
        for t in range(LOGITS.shape[1]):
            if (row, t) not in answers:
                elsewhere[row, t] = torch.tensor([50.0, -50.0, 3.0, 7.0])
    assert torch.equal(loss(elsewhere, 3.0), loss(LOGITS, 3.0))


def test_only_the_answers_token_is_lowered_and_the_others_keep_their_proportions() -> None:
    logits = OTHER.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, 3.0, tokens=1.0), logits)
    for row, t, token in PLACES:
        before, push = torch.softmax(OTHER[row, t], -1), gradient[row, t]
        assert push[token] > 0, "down it goes"
        others = [v for v in range(4) if v != token]
        shares = (push[others] / before[others]).tolist()
        assert shares[0] < 0
        assert shares == pytest.approx([shares[0]] * 3, rel=1e-4)


def test_the_teacher_is_the_frozen_model_and_not_the_model_of_now(harness: Any) -> None:
    output = harness.loss("undial", gamma=2.0, lambda_r=0, moved=True)
    side = harness.batch.forget
    now = [pair for record in predicted(harness.model, side) for pair in record]
    before = [pair for record in predicted(harness.model, side, adapter=False) for pair in record]
    count = len(now)
    expected = sum(by_hand(z0, z, y, 2.0) for (z0, _), (z, y) in zip(before, now, strict=True)) / count
    with_itself = sum(by_hand(z, z, y, 2.0) for z, y in now) / count
    assert abs(with_itself - expected) > 1e-3
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("retention", ["ce", "kl"])
def test_the_retention_term_is_added(harness: Any, retention: str) -> None:
    with_it = harness.loss("undial", lambda_r=2.0, retention=retention, moved=True)
    without = harness.loss("undial", lambda_r=0)
    term = with_it.terms[f"retain_{retention}"].item()
    assert term > 1e-4
    assert with_it.loss.item() - without.loss.item() == pytest.approx(2 * term, rel=1e-3)


def test_it_says_whose_distributions_it_reads() -> None:
    assert Method(Config(lambda_r=0)).needs().token_reference == {"forget"}
    assert Method(Config(retention="kl")).needs().token_reference == {"forget", "retain"}


def test_distributions_of_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="don't fit"):
        losses.undial(torch.zeros(2, 4), LOGITS, LABELS, gamma=1.0)


@pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"gamma": -3.0}, {"lambda_r": -1.0}])
def test_bad_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
