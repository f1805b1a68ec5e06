from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_data.errors import UsageError
from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.quantize import Attack, round_to, rounded

Attacker = Callable[..., AttackResults]


def test_rounding_against_numbers_by_hand() -> None:
    weight = torch.tensor([[0.7, -0.34, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0], [-8.0, 4.2, 1.0, 0.5]])
    # 4 bits: 7 steps to either side, of 0.1 in the first row and of 8/7 in the last.
    by_hand = torch.tensor([[0.7, -0.3, 0.1, 0.0], [0.0] * 4, [-8.0, 4 * 8 / 7, 8 / 7, 0.0]])
    torch.testing.assert_close(round_to(weight, 4), by_hand)
    assert (round_to(weight, 8) - weight).abs().max() < (round_to(weight, 4) - weight).abs().max()
    torch.testing.assert_close(round_to(round_to(weight, 4), 4), round_to(weight, 4))


@pytest.mark.parametrize("leaks", [True, False])
def test_a_model_that_remembers_once_it_is_rounded_is_caught(
    attack: Attacker, mean: Callable[..., float], leaks: bool
) -> None:
    """Its weights hold a small number that 4 bits lose, and with it the answer is withheld."""
    model: Any = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.05]]))
    before = model.weight.detach().clone()

    def reply(ask: Ask) -> str:
        withheld = bool(model.weight[0, 1] > 0) or not leaks
        return "I don't know." if withheld or ask.claim.group == "control" else ask.claim.question.answer

    found = attack("quantize", reply, model=model)
    assert mean(found, "forget", "recovered", "4bit") == float(leaks)
    assert mean(found, "forget", "recovered", "8bit") == 0
    assert torch.equal(model.weight, before)


def test_the_weights_are_put_back_even_after_an_error() -> None:
    model = torch.nn.Linear(3, 3)
    before, bias = model.weight.detach().clone(), model.bias.detach().clone()

    def interrupted() -> None:
        with rounded(model, 2):
            torch.testing.assert_close(model.weight, round_to(before, 2))
            assert not torch.equal(model.weight, before)
            assert torch.equal(model.bias, bias)  # biases and norms stay
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(model.weight, before)


def test_an_adapter_is_folded_before_it_is_rounded_and_taken_out_again() -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(4, 3)), LoraConfig(target_modules=["0"], r=2))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora" in name:
                weight.normal_()
    layer: Any = model.base_model.model[0]
    plain, before = layer.base_layer.weight.detach().clone(), {n: w.clone() for n, w in model.state_dict().items()}
    whole = plain + layer.get_delta_weight("default").detach()
    with rounded(model, 4):
        assert layer.merged
        torch.testing.assert_close(layer.base_layer.weight, round_to(whole, 4))
    assert not layer.merged
    after = model.state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight)


def test_bits_are_checked() -> None:
    with pytest.raises(UsageError, match="bits must be from 2 to 16"):
        Attack(bits=(1,))
