"""An adapter folded into the weights it sits on, and taken out again to the bit.

A layer with a low-rank adapter takes three products and a sum; folded, it takes one. In small models on a CPU, what a
product costs is mostly its call.
"""

from __future__ import annotations

from typing import Any

import torch

from offside_data.vlm.models import base_model_of

Weights = dict[str, torch.Tensor]


def fold(model: Any) -> Weights:
    """Add a loaded model's adapter to the weights below it, where that is safe.

    That is in float32 on a CPU: 16-bit weights would round what an adapter adds to them, and the copies of the weights
    need room that a GPU may lack.

    Args:
        model: From `load_model`, not to be trained while it is folded.

    Returns:
        The weights as they were, for `unfold`; empty where nothing was folded.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    if base_model_of(model) is model or model.device.type != "cpu" or model.dtype != torch.float32:
        return {}
    layers = (module.get_base_layer() for module in model.modules() if isinstance(module, BaseTunerLayer))
    below = {id(weight) for layer in layers for weight in layer.parameters(recurse=False)}
    kept = {name: weight.detach().clone() for name, weight in model.named_parameters() if id(weight) in below}
    if kept:  # Prompts that are learnt sit on no layer.
        model.merge_adapter()
    return kept


def unfold(model: Any, kept: Weights) -> None:
    """Take a folded adapter out again: every weight is what it was, to the bit.

    Args:
        model: As `fold` left it.
        kept: What `fold` returned.
    """
    if not kept:
        return
    model.unmerge_adapter()  # Subtracting what was added leaves rounding behind, so the weights are put back.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in kept:
                weight.copy_(kept[name])
