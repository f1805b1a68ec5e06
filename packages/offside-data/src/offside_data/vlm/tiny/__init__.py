"""Tiny vision-language models with real architectures, built from a config: no download.

One family = one module of this folder, named as its `model_type`. A module has one function,
`build(texts, seed) -> (model, processor)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from offside_data.plugins import Registry

_REGISTRY = Registry("offside_data.vlm.tiny", "tiny model family", needs={"build": Callable})

FAMILIES: tuple[str, ...] = tuple(_REGISTRY.names())
"""Families that `build_tiny` knows."""


def build_tiny(family: str = "qwen2_5_vl", *, texts: Iterable[str], seed: int) -> tuple[Any, Any]:
    """Make a small, untrained model and its processor.

    Args:
        family: One of `FAMILIES`.
        texts: What the tokenizer is trained on, e.g. all questions and answers of a dataset.
        seed: Of the weights. The same texts and seed give the same model.

    Returns:
        The model in eval mode and its processor; both have `save_pretrained`.

    Raises:
        PluginError: If the family is unknown.
    """
    return _REGISTRY.load(family).build(list(texts), seed)  # type: ignore[no-any-return]
