from __future__ import annotations

import copy
from typing import Any

import peft
import pytest
import torch

from offside_data.errors import UsageError
from offside_data.vlm import Collator, Encoder, decode, forward, generate, generate_with_margins
from offside_data.vlm.generation import end_token_ids
from offside_data.vlm.tiny import FAMILIES


def prompts(processor: Any, rows: list[dict[str, Any]]) -> Any:
    encoder = Encoder(processor)
    return Collator(processor, padding_side="left")([encoder.encode_prompt(row) for row in rows])


@pytest.fixture
def talkative(tiny) -> Any:
    """Families whose untrained model prefers different tokens for different prompts, and never ends."""

    def make(family: str) -> tuple[Any, Any]:
        model, processor = copy.deepcopy(tiny(family)[0]), tiny(family)[1]
        with torch.no_grad():
            for name, parameter in model.get_decoder().named_parameters():
                if parameter.dim() > 1 and "embed" not in name:
                    parameter.mul_(3)
        model.generation_config.eos_token_id = []
        return model, processor

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_answers_as_each_prompt_alone(family, talkative, mixed_rows) -> None:
    model, processor = talkative(family)
    together = generate_with_margins(model, prompts(processor, mixed_rows), max_new_tokens=6)
    assert together.tokens.shape == (len(mixed_rows), 6)
    assert len({tuple(row) for row in together.tokens.tolist()}) > 1
    for i, row in enumerate(mixed_rows):
        alone = generate_with_margins(model, prompts(processor, [row]), max_new_tokens=6)
        assert alone.tokens[0].tolist() == together.tokens[i].tolist()
        torch.testing.assert_close(alone.margins[0], together.margins[i], rtol=0, atol=1e-3)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
def test_margins_are_the_smallest_leads_on_the_way(family, talkative, mixed_rows) -> None:
    model, processor = talkative(family)
    row = mixed_rows[0]
    result = generate_with_margins(model, prompts(processor, [row]), max_new_tokens=4)
    record = Encoder(processor).encode_prompt(row)
    ids = record.input_ids + result.tokens[0, :3].tolist()
    extra = {name: [*values, 0, 0, 0] for name, values in record.extra.items()}
    longer = type(record)("r", ids, ids, 0, extra, record.image, record.image_key)
    with torch.no_grad():
        logits = forward(model, Collator(processor)([longer])).logits[0, -4:]
    assert logits.argmax(-1).tolist() == result.tokens[0].tolist()
    best = logits.topk(2).values
    leads = (best[:, 0] - best[:, 1]) / best[:, 0].abs().clamp(min=1)
    torch.testing.assert_close(leads.min(), result.margins[0], rtol=0, atol=1e-3)


def test_a_row_stops_at_its_end_and_its_margin_with_it(talkative, mixed_rows) -> None:
    model, processor = talkative("qwen2_5_vl")
    batch = prompts(processor, mixed_rows)
    free = generate_with_margins(model, batch, max_new_tokens=8)
    assert not free.ended.any()
    first_row = free.tokens[0].tolist()
    end = first_row[2]
    model.generation_config.eos_token_id = end
    stopped = generate_with_margins(model, batch, max_new_tokens=8)
    where = first_row.index(end)
    assert stopped.ended[0]
    assert stopped.tokens[0, : where + 1].tolist() == first_row[: where + 1]
    assert (stopped.tokens[0, where + 1 :] == model.generation_config.pad_token_id).all()
    model.generation_config.eos_token_id = []
    short = generate_with_margins(model, prompts(processor, mixed_rows[:1]), max_new_tokens=where + 1)
    torch.testing.assert_close(short.margins[0], stopped.margins[0], rtol=0, atol=1e-3)
    for tokens, ended in zip(stopped.tokens, stopped.ended, strict=True):
        assert bool((tokens == end).any()) == bool(ended)


def test_what_the_checkpoint_suggests_is_left_out(talkative, mixed_rows) -> None:
    model, processor = talkative("qwen2_5_vl")
    batch = prompts(processor, mixed_rows)
    expected = generate(model, batch, max_new_tokens=6)
    own = model.generation_config
    own.update(do_sample=True, temperature=9.0, top_k=3, repetition_penalty=5.0, no_repeat_ngram_size=1, num_beams=3)
    own.suppress_tokens = sorted(set(expected.flatten().tolist()))
    assert torch.equal(generate(model, batch, max_new_tokens=6), expected)
    assert model.generation_config is own
    assert own.repetition_penalty == 5.0


def test_adapters_generate(talkative, mixed_rows) -> None:
    model, processor = talkative("qwen2_5_vl")
    batch = prompts(processor, mixed_rows[:3])
    expected = generate(model, batch, max_new_tokens=4)
    for task in ("CAUSAL_LM", None):
        config = peft.LoraConfig(target_modules=r".*language_model.*q_proj", task_type=task)
        tuned = peft.get_peft_model(copy.deepcopy(model), config)
        assert torch.equal(generate(tuned, batch, max_new_tokens=4), expected)


def test_prompts_padded_on_the_right_are_refused(tiny, mixed_rows) -> None:
    model, processor = tiny("llava")
    batch = Collator(processor)([Encoder(processor).encode_prompt(row) for row in mixed_rows])
    with pytest.raises(UsageError, match="left"):
        generate(model, batch)


def test_decoding_leaves_special_tokens_out(tiny) -> None:
    model, processor = tiny("qwen2_5_vl")
    tokenizer = processor.tokenizer
    ids = tokenizer(" €35.00m in May")["input_ids"] + [tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert decode(processor, torch.tensor([ids])) == ["€35.00m in May"]
    assert end_token_ids(model) == [tokenizer.eos_token_id]
