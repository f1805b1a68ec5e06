from __future__ import annotations

import copy
import functools
from typing import Any

import peft
import pytest
import torch

from offside_data.errors import ModelError
from offside_data.vlm import Collator, Encoder, answer_logprobs, forward
from offside_data.vlm.pictures import decode_picture
from offside_data.vlm.tiny import FAMILIES

LANGUAGE = r".*(language_model|text_model)\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
VISION = {
    "qwen2_vl": r".*visual\.blocks\.\d+\.attn\.(qkv|proj)",
    "qwen2_5_vl": r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(gate|up|down)_proj)",
    "qwen3_vl": r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.linear_fc[12])",
    "smolvlm": r".*vision_model\..*\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])",
    "idefics3": r".*vision_model\..*\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])",
}
ELSE = r".*vision_tower\..*layers\.[01]\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])"


def naive(model: Any, processor: Any, row: dict[str, Any]) -> torch.Tensor:
    """Logits of one record alone, picture and all, the way the library's manual says."""
    content: list[dict[str, Any]] = [{"type": "text", "text": row["question"]}]
    if row["image"]:
        content.insert(0, {"type": "image", "image": decode_picture(row["image"]["bytes"], "r")})
    answer = {"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]}
    inputs = processor.apply_chat_template(
        [[{"role": "user", "content": content}, answer]], tokenize=True, return_dict=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits: torch.Tensor = model(**inputs).logits[0]
    return logits


def batch_of(processor: Any, rows: list[dict[str, Any]], side: Any = "right") -> Any:
    encoder = Encoder(processor)
    return Collator(processor, padding_side=side)([encoder.encode(row) for row in rows])


def loss_of(model: Any, batch: Any, **options: Any) -> torch.Tensor:
    output = forward(model, batch, **options)
    logprobs, mask = answer_logprobs(output.logits, output.labels)
    return -logprobs.sum() / mask.sum()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_what_each_record_gives_alone(family, side, tiny, mixed_rows) -> None:
    model, processor = tiny(family)
    batch = batch_of(processor, mixed_rows, side)
    with torch.no_grad():
        output = forward(model, batch)
    assert output.labels is batch["labels"]
    for i, row in enumerate(mixed_rows):
        inside = batch["attention_mask"][i].bool()
        torch.testing.assert_close(output.logits[i][inside], naive(model, processor, row), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_text_alone(family, tiny, row) -> None:
    model, processor = tiny(family)
    rows = [row(i, None) for i in range(3)]
    with torch.no_grad():
        output = forward(model, batch_of(processor, rows))
    for logits, record in zip(output.logits, rows, strict=True):
        alone = naive(model, processor, record)
        torch.testing.assert_close(logits[: len(alone)], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vision_tower_sees_each_picture_once(family, tiny, mixed_rows, monkeypatch) -> None:
    model, processor = tiny(family)
    calls = []
    features = model.get_image_features

    @functools.wraps(features)
    def count(pixel_values: Any, **inputs: Any) -> Any:
        calls.append(pixel_values)
        return features(pixel_values=pixel_values, **inputs)

    monkeypatch.setattr(model, "get_image_features", count)
    batch = batch_of(processor, mixed_rows)
    forward(model, batch)
    assert len(calls) == 1
    assert calls[0] is batch["pixel_values"]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_keeping_only_answers_changes_no_number(family, side, tiny, mixed_rows) -> None:
    model, processor = tiny(family)
    batch = batch_of(processor, mixed_rows, side)
    with torch.no_grad():
        whole, kept = forward(model, batch), forward(model, batch, keep="answer")
    assert kept.logits.shape[1] < whole.logits.shape[1]
    assert kept.labels.shape == (len(mixed_rows), kept.logits.shape[1] + 1)
    for part in (whole, kept):
        logprobs, mask = answer_logprobs(part.logits, part.labels)
        expected = [len(Encoder(processor).encode(row).labels) for row in mixed_rows]
        assert mask.shape == logprobs.shape
        assert (mask.sum(1) < torch.tensor(expected)).all()
    sums = [answer_logprobs(part.logits, part.labels)[0].sum(1) for part in (whole, kept)]
    torch.testing.assert_close(*sums, rtol=0, atol=5e-5)
    if side == "left":
        longest = int((batch["labels"] != -100).sum(1).max())
        assert kept.logits.shape[1] <= longest + 1


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_those_of_the_records_alone(family, tiny, mixed_rows) -> None:
    shared, processor = tiny(family)
    model = copy.deepcopy(shared).train()
    rows = mixed_rows[:5]
    (loss_of(model, batch_of(processor, rows), keep="answer")).backward()
    together = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    assert any("vision" in name or "visual" in name for name, grad in together.items() if bool(grad.any()))
    model.zero_grad()
    counts = [int((batch_of(processor, [row])["labels"] != -100).sum()) for row in rows]
    for row, count in zip(rows, counts, strict=True):
        (loss_of(model, batch_of(processor, [row])) * count / sum(counts)).backward()
    for name, parameter in model.named_parameters():
        if name in together:
            torch.testing.assert_close(together[name], parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_on_language_and_vision_learn(family, tiny, mixed_rows) -> None:
    shared, processor = tiny(family)
    batch = batch_of(processor, mixed_rows[:4])
    with torch.no_grad():
        base = forward(shared, batch).logits
    for pattern in (LANGUAGE, VISION.get(family, ELSE)):
        config = peft.LoraConfig(r=2, target_modules=pattern, init_lora_weights=False)
        model = peft.get_peft_model(copy.deepcopy(shared), config).train()
        with torch.no_grad(), model.disable_adapter():
            assert torch.equal(forward(model, batch).logits, base)
        loss_of(model, batch, keep="answer").backward()
        tuned = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        assert tuned
        assert all(grad is not None and bool(grad.any()) for grad in tuned.values()), family
        with torch.no_grad():
            assert not torch.allclose(forward(model, batch).logits, base)


@pytest.mark.parametrize("task", ["CAUSAL_LM", None])
def test_both_kinds_of_peft_model_work(task, tiny, mixed_rows) -> None:
    shared, processor = tiny("qwen2_5_vl")
    model = peft.get_peft_model(copy.deepcopy(shared), peft.LoraConfig(target_modules=LANGUAGE, task_type=task))
    batch = batch_of(processor, mixed_rows)
    with torch.no_grad():
        torch.testing.assert_close(forward(model, batch).logits, forward(shared, batch).logits)


def test_the_same_batch_twice_is_bit_equal(tiny, mixed_rows) -> None:
    model, processor = tiny("qwen2_5_vl")
    batch = batch_of(processor, mixed_rows)
    with torch.no_grad():
        assert torch.equal(forward(model, batch).logits, forward(model, batch).logits)


def test_a_forward_after_generation_forgets_where_that_ended(tiny, mixed_rows, picture, row) -> None:
    model, processor = copy.deepcopy(tiny("qwen2_5_vl")[0]), tiny("qwen2_5_vl")[1]
    batch, text = batch_of(processor, mixed_rows), batch_of(processor, [row(0, None)])
    with torch.no_grad():
        before = [forward(model, b).logits for b in (batch, text)]
        model.model.rope_deltas = torch.full((7, 1), -12)
        after = [forward(model, b).logits for b in (batch, text)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def testrope_positions_are_found_once_for_rows_alike(tiny, picture, row, monkeypatch) -> None:
    model, processor = tiny("qwen2_5_vl")
    batch = batch_of(processor, [row(i, picture(i % 3)) for i in range(9)])
    seen = []
    find = model.model.get_rope_index

    @functools.wraps(find)
    def count(input_ids: torch.Tensor, **options: Any) -> Any:
        seen.append(len(input_ids))
        return find(input_ids, **options)

    monkeypatch.setattr(model.model, "get_rope_index", count)
    forward(model, batch)
    assert seen == [1]


def test_an_architecture_that_takes_no_encoded_pictures_is_refused(tiny, picture, row, monkeypatch) -> None:
    model, processor = tiny("llava")
    monkeypatch.setattr(model, "forward", lambda input_ids=None, pixel_values=None: None)
    with pytest.raises(ModelError, match="mm_encoder_outputs"):
        forward(model, batch_of(processor, [row(0, picture(1))]))
