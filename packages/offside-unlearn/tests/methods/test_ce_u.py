from __future__ import annotations

from typing import Any

import pytest
import torch
from fixed_logits import LABELS, LOGITS, PLACES, cross_entropy, predicted, softmax

from offside_data.errors import RecordError
from offside_unlearn import losses
from offside_unlearn.methods.ce_u import Config, Method


def rest(logits: list[float], token: int) -> list[float]:
    """The distribution without the token."""
    probabilities = softmax(logits)
    return [0.0 if v == token else p / (1 - probabilities[token]) for v, p in enumerate(probabilities)]


def by_hand(logits: list[float], token: int) -> float:
    return cross_entropy(rest(logits, token), logits)


def test_on_fixed_logits_by_hand() -> None:
    each = [by_hand(LOGITS[row, t].tolist(), token) for row, t, token in PLACES]
    assert losses.ce_u(LOGITS, LABELS).item() == pytest.approx(sum(each) / 5, rel=1e-5)
    assert losses.ce_u(LOGITS, LABELS, tokens=2.5).item() == pytest.approx(sum(each) / 2.5, rel=1e-5)


def test_no_gradient_flows_into_the_target() -> None:
    """With a fixed target `q` it is `p - q`, at answer tokens alone."""
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.ce_u(logits, LABELS), logits)
    expected = torch.zeros_like(LOGITS)
    for row, t, token in PLACES:
        values = LOGITS[row, t].tolist()
        expected[row, t] = torch.tensor(
            [(p - q) / 5 for p, q in zip(softmax(values), rest(values, token), strict=True)]
        )
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_a_token_that_is_unlikely_already_is_left_alone() -> None:
    logits = torch.tensor([[[20.0, 0.0, 19.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.ce_u(logits, torch.tensor([[-100, 1]])), logits)
    assert gradient.abs().max().item() < 1e-7


@pytest.mark.parametrize("skipped", [0, 1, 2])
def test_the_first_tokens_of_each_answer_can_be_left_out(harness: Any, skipped: int) -> None:
    output = harness.loss("ce_u", skip_first=skipped, moved=True)
    records = predicted(harness.model, harness.batch.forget)
    each = [by_hand(logits, token) for record in records for logits, token in record[skipped:]]
    assert output.loss.item() == pytest.approx(sum(each) / len(each), rel=1e-5)


def test_answers_too_short_for_it_are_an_error() -> None:
    assert losses.without_first(LABELS, 0) is LABELS
    assert losses.without_first(LABELS, 1)[1].tolist() == [-100] * 5 + [1]
    with pytest.raises(RecordError, match=r"row 1 .* the shortest answer has 2"):
        losses.without_first(LABELS, 2)


def test_a_retention_term_is_there_for_those_who_ask(harness: Any) -> None:
    assert not Method(Config()).needs().retain
    assert Method(Config(lambda_r=1.0, retention="kl")).needs().token_reference == {"retain"}
    with_it, without = harness.loss("ce_u", lambda_r=2.0), harness.loss("ce_u")
    retain = harness.cross_entropy(harness.batch.retain)
    assert with_it.loss.item() - without.loss.item() == pytest.approx(2 * retain, rel=1e-4)


@pytest.mark.parametrize("wrong", [{"skip_first": -1}, {"lambda_r": -1.0}])
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
