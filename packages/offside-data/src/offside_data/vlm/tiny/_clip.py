"""What the LLaVA families share: tokenizer, template, CLIP vision tower, token ids."""

from __future__ import annotations

from typing import Any

from offside_data.vlm.tiny import _parts

VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 112,
    "patch_size": 28,
    "projection_dim": 64,
}
"""112x112 pictures as 16 patches."""

FEATURES = {"vision_feature_layer": -2, "vision_feature_select_strategy": "default"}
"""Features come from the last layer but one, without the class token."""


def tokenizer(texts: list[str]) -> Any:
    """A tokenizer with LLaVA's one special token."""
    return _parts.train_tokenizer(texts, specials=["<image>"], pad="<pad>", eos="</s>", bos="<s>")


def template() -> str:
    """LLaVA-1.5's way of writing a chat."""
    return _parts.chat_template(opening="{role}:", gap=" ", closing="</s>", image="<image>\n", start="{{ bos_token }}")


def config(tokenizer: Any) -> dict[str, Any]:
    """The common part of the configs."""
    return {
        "text_config": _parts.text_config(tokenizer, model_type="llama"),
        "vision_config": VISION,
        "image_token_index": tokenizer.convert_tokens_to_ids("<image>"),
        "image_seq_length": 16,
        "tie_word_embeddings": True,
        **FEATURES,
    }
