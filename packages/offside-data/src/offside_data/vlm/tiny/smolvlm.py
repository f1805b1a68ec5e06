"""Tiny SmolVLM."""

from __future__ import annotations

from typing import Any

from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessorPil

from offside_data.vlm.processors import IMAGE_ONLY
from offside_data.vlm.tiny import _parts, _tiles


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    tokenizer = _tiles.tokenizer(texts)
    processor = IMAGE_ONLY["smolvlm"](
        SmolVLMImageProcessorPil(**_tiles.IMAGES),
        tokenizer,
        image_seq_len=_tiles.TOKENS_PER_TILE,
        chat_template=_tiles.template(),
    )
    config = SmolVLMConfig(**_tiles.config(tokenizer))
    return _parts.seeded(lambda: SmolVLMForConditionalGeneration(config).eval(), seed), processor
