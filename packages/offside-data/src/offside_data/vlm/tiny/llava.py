"""Tiny LLaVA-1.5."""

from __future__ import annotations

from typing import Any

from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

from offside_data.vlm.tiny import _clip, _parts


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    tokenizer = _clip.tokenizer(texts)
    images = CLIPImageProcessorPil(size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112})
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=28,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_clip.template(),
    )
    config = LlavaConfig(**_clip.config(tokenizer))
    return _parts.seeded(lambda: LlavaForConditionalGeneration(config).eval(), seed), processor
