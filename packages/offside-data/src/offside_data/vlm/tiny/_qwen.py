"""What the Qwen-VL families share: tokenizer, template, processor, token ids."""

from __future__ import annotations

from typing import Any

from transformers import Qwen2VLImageProcessorPil

from offside_data.vlm.processors import IMAGE_ONLY
from offside_data.vlm.tiny import _parts

ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
"""Positions in time, height and width share the 16 frequencies of a head of 32."""


def processor(family: str, texts: list[str], *, patch: int = 14) -> Any:
    """A processor that makes 16 visual tokens of any square picture."""
    tokenizer = _parts.train_tokenizer(
        texts,
        specials=["<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"],
        pad="<|endoftext|>",
        eos="<|im_end|>",
    )
    template = _parts.chat_template(
        opening="<|im_start|>{role}\n",
        closing="<|im_end|>",
        image="<|vision_start|><|image_pad|><|vision_end|>",
    )
    pixels = (8 * patch) ** 2
    images = Qwen2VLImageProcessorPil(min_pixels=pixels, max_pixels=pixels, patch_size=patch, merge_size=2)
    return IMAGE_ONLY[family](images, tokenizer, chat_template=template)


def config(tokenizer: Any) -> dict[str, Any]:
    """The top level of a config: the special tokens, and what holds for the whole model."""
    id_of = tokenizer.convert_tokens_to_ids
    return {
        "image_token_id": id_of("<|image_pad|>"),
        "video_token_id": id_of("<|video_pad|>"),
        "vision_start_token_id": id_of("<|vision_start|>"),
        "vision_end_token_id": id_of("<|vision_end|>"),
        "tie_word_embeddings": True,
        "initializer_range": _parts.INITIALIZER_RANGE,
    }
