"""What `unlearn.py` measures with: a small league, and randomly initialised Qwen2.5-VL models of several sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, Qwen2_5_VLConfig

from offside_data import open_dataset
from offside_data.fictional import make_league
from offside_data.vlm import build_tiny

SUBJECTS = 6
REAL_SIZES = Path(__file__).parents[2] / "packages" / "offside-unlearn" / "tests" / "real_sizes"
QWEN_VOCABULARY = 151_936
"""Entries of the vocabulary of Qwen2.5-VL."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A Qwen2.5-VL by what differs from the tiny one.

    Args:
        text: Of the language model's configuration.
        vision: Of the vision tower's.
        side: Pixels of a picture's side; it becomes `(side / 28)^2` tokens.
    """

    text: dict[str, Any]
    vision: dict[str, Any]
    side: int


def _rope(*sections: int) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": list(sections)}


def _of_tiny(vocabulary: int) -> Size:
    return Size(text={"vocab_size": vocabulary}, vision={}, side=112)


def _real(name: str, side: int) -> Size:
    config = json.loads((REAL_SIZES / f"{name}.json").read_text(encoding="utf-8"))
    return Size(text=config["text_config"], vision=config["vision_config"], side=side)


def size_of(name: str) -> Size:
    """One of `SIZES`."""
    size: Size = SIZES[name]() if callable(SIZES[name]) else SIZES[name]
    return size


SIZES: dict[str, Any] = {
    "tiny": _of_tiny(1_024),
    "tiny-150k": _of_tiny(QWEN_VOCABULARY),
    "small": Size(
        text={
            "vocab_size": 65_536,
            "hidden_size": 512,
            "intermediate_size": 1_536,
            "num_hidden_layers": 6,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "rope_parameters": _rope(8, 12, 12),
            "initializer_range": 0.02,
        },
        vision={
            "depth": 4,
            "hidden_size": 256,
            "intermediate_size": 512,
            "num_heads": 4,
            "out_hidden_size": 512,
            "fullatt_block_indexes": [1, 3],
            "initializer_range": 0.02,
        },
        side=252,
    ),
    "3b": lambda: _real("qwen2.5-vl-3b", 448),
}
"""Names that `--size` takes."""


def make_data(folder: Path) -> Any:
    """A league that is large enough for all methods: each picture has donors."""
    make_league(folder / "league", subjects=SUBJECTS, general=20, utility=4)
    return open_dataset(folder / "league")


def build(name: str, data: Any, *, device: str, dtype: torch.dtype, seed: int) -> tuple[Any, Any]:
    """A model of a size with random weights, in eval mode, and its processor."""
    size = size_of(name)
    texts = [text for part in data.record_parts() for row in data.records(*part.split("/")) for text in _texts(row)]
    tiny, processor = build_tiny("qwen2_5_vl", texts=texts, seed=seed)
    processor.image_processor.size = {"shortest_edge": size.side**2, "longest_edge": size.side**2}
    config = tiny.config.to_dict()
    for part, changes in (("text_config", size.text), ("vision_config", size.vision)):
        config[part] = {**config[part], **changes}
    del config["text_config"]["layer_types"]  # Of the tiny model's number of layers.
    torch.manual_seed(seed)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(Qwen2_5_VLConfig.from_dict(config), dtype=dtype)
    return model.eval(), processor


def _texts(row: Any) -> tuple[str, str]:
    return row["question"], row["answer"]
