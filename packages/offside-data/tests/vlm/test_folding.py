from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from offside_data.vlm import Collator, Encoder, Output, forward
from offside_data.vlm.digest import weights_digest
from offside_data.vlm.folding import fold, unfold


@pytest.fixture
def adapted(tiny: Any, mixed_rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    """A model with an adapter that changes what it says, and a batch."""
    from peft import LoraConfig, get_peft_model

    plain, processor = tiny("qwen2_5_vl")
    torch.manual_seed(3)
    model = get_peft_model(
        copy.deepcopy(plain), LoraConfig(r=4, target_modules=r".*language_model.*(q_proj|down_proj)")
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    encoder = Encoder(processor)
    return model.eval(), Collator(processor)([encoder.encode(row) for row in mixed_rows])


def say(model: Any, batch: Any) -> Output:
    with torch.no_grad():
        return forward(model, batch)


def test_folded_it_says_the_same_and_unfolded_it_is_the_same_to_the_bit(adapted: tuple[Any, Any]) -> None:
    model, batch = adapted
    before, digest = say(model, batch).logits, weights_digest(model)
    for _ in range(3):  # Adding and subtracting would leave more and more behind.
        kept = fold(model)
        assert {name.split(".")[-3] for name in kept} == {"q_proj", "down_proj"}
        torch.testing.assert_close(say(model, batch).logits, before, atol=2e-5, rtol=1e-4)
        unfold(model, kept)
        assert weights_digest(model) == digest
        assert torch.equal(say(model, batch).logits, before)


def test_what_would_be_rounded_or_has_nothing_to_fold_stays(adapted: tuple[Any, Any], tiny: Any) -> None:
    model, _ = adapted
    digest = weights_digest(model.to(torch.bfloat16))
    assert fold(model) == {}
    unfold(model, {})
    assert weights_digest(model) == digest
    plain, _ = tiny("qwen2_5_vl")
    assert fold(plain) == {}


def test_learnt_prompts_sit_on_no_layer(tiny: Any) -> None:
    from peft import PromptTuningConfig, get_peft_model

    plain = copy.deepcopy(tiny("qwen2_5_vl")[0])
    plain.config.vocab_size = plain.config.text_config.vocab_size
    options = {"num_layers": 1, "token_dim": 8, "num_attention_heads": 1, "task_type": "CAUSAL_LM"}
    assert fold(get_peft_model(plain, PromptTuningConfig(num_virtual_tokens=2, **options))) == {}
