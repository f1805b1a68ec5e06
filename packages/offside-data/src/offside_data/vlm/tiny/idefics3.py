"""Tiny Idefics 3."""

from __future__ import annotations

from typing import Any

from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
)

from offside_data.vlm.tiny import _parts, _tiles


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    tokenizer = _tiles.tokenizer(texts)
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(**_tiles.IMAGES),
        tokenizer,
        image_seq_len=_tiles.TOKENS_PER_TILE,
        chat_template=_tiles.template(),
    )
    config = Idefics3Config(**_tiles.config(tokenizer))
    return _parts.seeded(lambda: Idefics3ForConditionalGeneration(config).eval(), seed), processor
