"""Tiny Gemma 3: pictures as 16 visual tokens that see each other both ways."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
)

from offside_data.vlm.tiny import _parts


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    tokenizer = _parts.train_tokenizer(
        texts,
        specials=["<start_of_turn>"],
        pad="<pad>",
        eos="<end_of_turn>",
        bos="<bos>",
        image_token="<image_soft_token>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
    )
    template = _parts.chat_template(
        opening="<start_of_turn>{role}\n",
        closing="<end_of_turn>",
        image="<start_of_image>",
        assistant="model",
        start="{{ bos_token }}",
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 112, "width": 112}),
        tokenizer,
        chat_template=template,
        image_seq_length=16,
    )
    config = Gemma3Config(
        text_config=_parts.text_config(
            tokenizer,
            head_dim=32,
            query_pre_attn_scalar=32,
            sliding_window=512,
            layer_types=["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
        ),
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 112,
            "patch_size": 14,
            "vision_use_head": False,
        },
        mm_tokens_per_image=16,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
        tie_word_embeddings=True,
    )
    return _parts.seeded(lambda: _build(config), seed), processor


def _build(config: Gemma3Config) -> Any:
    model = Gemma3ForConditionalGeneration(config).eval()
    # Zeros at first: pictures would have no effect, and the vision tower no gradient.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.02)
    return model
