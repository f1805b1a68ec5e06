"""Tiny Qwen2-VL."""

from __future__ import annotations

from typing import Any

from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from offside_data.vlm.tiny import _parts, _qwen


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    processor = _qwen.processor("qwen2_vl", texts)
    config = Qwen2VLConfig(
        text_config=_parts.text_config(processor.tokenizer, rope_parameters=_qwen.ROPE),
        vision_config={
            "depth": 2,
            "embed_dim": 64,
            "hidden_size": 128,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
            "initializer_range": _parts.INITIALIZER_RANGE,
        },
        **_qwen.config(processor.tokenizer),
    )
    return _parts.seeded(lambda: Qwen2VLForConditionalGeneration(config).eval(), seed), processor
