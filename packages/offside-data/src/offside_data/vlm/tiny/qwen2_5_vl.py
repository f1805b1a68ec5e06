"""Tiny Qwen2.5-VL: 112x112 pictures as 16 visual tokens, 1.1 M parameters."""

from __future__ import annotations

from typing import Any

from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from offside_data.vlm.tiny import _parts, _qwen


def build(texts: list[str], seed: int) -> tuple[Any, Any]:
    """Build the model and its processor."""
    processor = _qwen.processor("qwen2_5_vl", texts)
    config = Qwen2_5_VLConfig(
        text_config=_parts.text_config(processor.tokenizer, rope_parameters=_qwen.ROPE),
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 128,
            "patch_size": 14,
            "initializer_range": _parts.INITIALIZER_RANGE,
            "window_size": 112,
            "fullatt_block_indexes": [0, 1],
        },
        **_qwen.config(processor.tokenizer),
    )
    return _parts.seeded(lambda: Qwen2_5_VLForConditionalGeneration(config).eval(), seed), processor
