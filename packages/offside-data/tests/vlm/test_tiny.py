from __future__ import annotations

import random
import subprocess
import sys

import pytest
import torch

from offside_data.errors import PluginError
from offside_data.vlm import Collator, Encoder, forward, load_model, load_processor, save_processor
from offside_data.vlm.generation import end_token_ids
from offside_data.vlm.tiny import FAMILIES, build_tiny

WORDS = ["".join(random.Random(i).choices("abcdefghijklmnop", k=7)) for i in range(600)]


def test_the_default_family_is_as_the_design_says() -> None:
    model, processor = build_tiny(texts=WORDS * 3, seed=0)
    config = model.config
    text, vision = config.get_text_config(), config.vision_config
    assert len(processor.tokenizer) == text.vocab_size == 1024
    assert (text.num_hidden_layers, text.hidden_size, text.intermediate_size) == (4, 128, 384)
    assert (text.num_attention_heads, text.num_key_value_heads) == (4, 2)
    assert (vision.depth, vision.hidden_size, vision.patch_size, vision.spatial_merge_size) == (2, 64, 14, 2)
    assert 1.1e6 < sum(p.numel() for p in model.parameters()) < 1.2e6
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_pictures_are_sixteen_tokens_whatever_their_size(tiny, picture, row) -> None:
    model, processor = tiny("qwen2_5_vl")
    for size in ((112, 112), (512, 512), (40, 40)):
        ids = Encoder(processor).encode_prompt(row(0, picture(0, size))).input_ids
        assert ids.count(model.config.image_token_id) == 16


def test_same_seed_same_model() -> None:
    (one, _), (two, _), (other, _) = (build_tiny(texts=["a goal"], seed=s) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)


def test_same_texts_same_tokenizer_in_another_process() -> None:
    code = (
        "from offside_data.vlm.tiny._parts import train_tokenizer\n"
        "texts = [f'word{a}{b} scored {a * b} goals' for a in range(40) for b in range(9)]\n"
        "tokenizer = train_tokenizer(texts, specials=['<image>'], pad='<pad>', eos='</s>')\n"
        "trained = tokenizer.backend_tokenizer.to_str()\n"
    )
    here: dict[str, str] = {}
    exec(code, here)
    there = subprocess.run([sys.executable, "-c", code + "print(trained)"], capture_output=True, check=True)
    assert there.stdout.decode().strip() == here["trained"]


def test_building_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    build_tiny(texts=["a"], seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(PluginError, match="qwen2_5_vl"):
        build_tiny("qwen2_5vl", texts=["a"], seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_round_trip(family, tiny) -> None:
    tokenizer = tiny(family)[1].tokenizer
    for text in ("€35.00m, £4 — naïve “quotes”\n 東京 🏟", "a  b\t c\n\n", "3/5/1999"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_template_marks_what_the_assistant_says(family, tiny) -> None:
    processor = tiny(family)[1]
    chat = [
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Ardo Vellin."}]},
    ]
    out = processor.apply_chat_template([chat], tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = out["input_ids"][0], out["assistant_masks"][0]
    said = processor.tokenizer.decode([i for i, inside in zip(ids, mask, strict=True) if inside])
    assert said.strip().startswith("Ardo Vellin.")
    assert len(said.strip()) > len("Ardo Vellin.")


@pytest.mark.parametrize("family", FAMILIES)
def test_what_it_says_depends_on_the_picture(family, tiny, picture, row) -> None:
    model, processor = tiny(family)
    shown = [Encoder(processor).encode(row(0, picture(seed))) for seed in (1, 2, 1)]
    with torch.no_grad():
        logits = forward(model, Collator(processor)(shown), keep="answer").logits
    assert (logits[0] - logits[1]).abs().max() > 1e-2
    torch.testing.assert_close(logits[2], logits[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_and_loaded_it_is_the_same(family, tiny, mixed_rows, tmp_path) -> None:
    model, processor = tiny(family)
    model.save_pretrained(tmp_path)
    save_processor(processor, tmp_path)
    loaded_model, loaded = load_model(tmp_path, device="cpu"), load_processor(tmp_path)
    encoded = [Encoder(processor).encode(r) for r in mixed_rows]
    assert [Encoder(loaded).encode(r) for r in mixed_rows] == encoded
    with torch.no_grad():
        ours = forward(model, Collator(processor)(encoded)).logits
        theirs = forward(loaded_model, Collator(loaded)(encoded)).logits
    assert torch.equal(ours, theirs)
    assert end_token_ids(loaded_model) == [processor.tokenizer.eos_token_id]
