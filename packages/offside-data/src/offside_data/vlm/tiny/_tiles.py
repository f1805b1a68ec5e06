"""What SmolVLM and Idefics 3 share: tokenizer, template, tiles of 56x56, configs."""

from __future__ import annotations

from typing import Any

from offside_data.vlm.tiny import _parts

IMAGES = {"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}, "do_image_splitting": True}
"""Up to 112x112 as 2x2 tiles and the whole; 4 visual tokens a tile."""

TOKENS_PER_TILE = 4


def tokenizer(texts: list[str]) -> Any:
    """A tokenizer with a special token for each place of a tile."""
    places = [f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)]
    return _parts.train_tokenizer(
        texts,
        specials=["<fake_token_around_image>", "<image>", "<global-img>", *places],
        pad="<pad>",
        eos="<end_of_utterance>",
        bos="<|im_start|>",
    )


def template() -> str:
    """SmolVLM's way of writing a chat."""
    return _parts.chat_template(
        opening="{role}:", gap=" ", closing="<end_of_utterance>", image="<image>", start="{{ bos_token }}"
    )


def config(tokenizer: Any) -> dict[str, Any]:
    """The common part of the configs."""
    return {
        "text_config": _parts.text_config(tokenizer, model_type="llama"),
        "vision_config": {
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
        },
        "scale_factor": 2,
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
