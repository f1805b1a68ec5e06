"""Tiny Qwen3-VL: its vision tower also feeds the first layers of the language model."""

from __future__ import annotations

from typing import Any

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from offside_data.vlm.tiny import _parts, _qwen


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    processor = _qwen.processor("qwen3_vl", texts, patch=16)
    config = Qwen3VLConfig(
        text_config=_parts.text_config(
            processor.tokenizer, head_dim=32, rope_parameters={**_qwen.ROPE, "mrope_interleaved": True}
        ),
        vision_config={
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 128,
            "patch_size": 16,
            "initializer_range": _parts.INITIALIZER_RANGE,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        **_qwen.config(processor.tokenizer),
    )
    return _parts.seeded(lambda: Qwen3VLForConditionalGeneration(config).eval(), seed), processor
