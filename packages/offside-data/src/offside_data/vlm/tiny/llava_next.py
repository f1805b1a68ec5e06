"""Tiny LLaVA-NeXT: a picture becomes one to three tiles, by its shape."""

from __future__ import annotations

from typing import Any

from transformers import (
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
)

from offside_data.vlm.tiny import _clip, _parts

_SHAPES = [[112, 224], [224, 112], [112, 112]]


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    tokenizer = _clip.tokenizer(texts)
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112}, image_grid_pinpoints=_SHAPES
    )
    processor = LlavaNextProcessor(
        images,
        tokenizer,
        patch_size=28,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_clip.template(),
    )
    config = LlavaNextConfig(image_grid_pinpoints=_SHAPES, **_clip.config(tokenizer))
    return _parts.seeded(lambda: LlavaNextForConditionalGeneration(config).eval(), seed), processor
