from __future__ import annotations

import pytest
import torch

from offside_data.errors import RecordError
from offside_data.vlm import answer_logprobs, answer_mask, require_answer_tokens, sequence_logprobs
from offside_data.vlm.encode import IGNORED

LABELS = torch.tensor([[IGNORED, IGNORED, 2, 0, IGNORED], [IGNORED, 1, 1, 1, 4]])


def test_each_label_is_scored_by_the_position_before_it() -> None:
    logits = torch.randn(2, 5, 6)
    logprobs, mask = answer_logprobs(logits, LABELS)
    assert mask.tolist() == [[False, True, True, False], [True, True, True, True]]
    by_hand = torch.log_softmax(logits, -1).tolist()
    first = [0, by_hand[0][1][2], by_hand[0][2][0], 0]
    second = [by_hand[1][i][LABELS[1, i + 1]] for i in range(4)]
    assert logprobs.tolist() == [pytest.approx(first, abs=1e-6), pytest.approx(second, abs=1e-6)]


def test_the_loss_is_the_usual_one() -> None:
    logits = torch.randn(2, 5, 6)
    logprobs, mask = answer_logprobs(logits, LABELS)
    usual = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), LABELS[:, 1:].flatten())
    torch.testing.assert_close(-logprobs.sum() / mask.sum(), usual)


def test_logits_of_kept_positions_are_one_shorter() -> None:
    logits = torch.randn(2, 5, 6)
    whole, _ = answer_logprobs(logits, LABELS)
    kept, _ = answer_logprobs(logits[:, 1:4], LABELS[:, 1:])
    assert torch.equal(kept, whole[:, 1:])


def test_half_precision_is_scored_in_float32() -> None:
    logits = torch.randn(2, 5, 6).bfloat16()
    logprobs, _ = answer_logprobs(logits, LABELS)
    assert logprobs.dtype == torch.float32
    assert torch.equal(logprobs, answer_logprobs(logits.float(), LABELS)[0])


def test_padding_gets_no_gradient() -> None:
    logits = torch.randn(2, 5, 6, requires_grad=True)
    answer_logprobs(logits, LABELS)[0].sum().backward()
    assert logits.grad is not None
    assert not logits.grad[0, [0, 3, 4]].any()
    assert logits.grad[0, [1, 2]].any(-1).all()


def test_sums_and_counts() -> None:
    logits = torch.randn(2, 5, 6)
    total, count = sequence_logprobs(logits, LABELS)
    assert count.tolist() == [2, 4]
    torch.testing.assert_close(total, answer_logprobs(logits, LABELS)[0].sum(1))


def test_a_row_without_an_answer_is_refused() -> None:
    empty = torch.cat([LABELS, torch.tensor([[7, IGNORED, IGNORED, IGNORED, IGNORED]])])
    assert answer_mask(empty).any(1).tolist() == [True, True, False]
    for act in (require_answer_tokens, lambda labels: sequence_logprobs(torch.randn(3, 5, 8), labels)):
        with pytest.raises(RecordError, match="row 2"):
            act(empty)
    require_answer_tokens(LABELS)
