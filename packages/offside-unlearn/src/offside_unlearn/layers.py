"""Where a model's layers and their MLPs are, found by the structure that `transformers` gives every family."""

from __future__ import annotations

from typing import Any, Literal

import torch

from offside_data.errors import UsageError
from offside_data.vlm import base_model_of

Tower = Literal["language", "vision"]


def layers_of(model: Any, tower: Tower) -> dict[str, torch.nn.Module]:
    """The layers of a tower in their order, by their names in the plain model; without those that nothing reads.

    Raises:
        UsageError: If the model keeps no list of layers with an MLP each.
    """
    base = base_model_of(model)
    inside = base.get_decoder() if tower == "language" else base.get_encoder(modality="image")
    names = {id(module): name for name, module in base.named_modules()}
    unread = unread_layers(model) if tower == "vision" else ()
    for module in inside.modules():
        if isinstance(module, torch.nn.ModuleList) and all(hasattr(layer, "mlp") for layer in module):
            return {names[id(layer)]: layer for layer in module if names[id(layer)] not in unread}
    raise UsageError(
        f"the {tower} tower of this {base.config.model_type} model has no list of layers with an `mlp` each, so its "
        "layers can't be told apart. Choose another method."
    )


def unread_layers(model: Any) -> tuple[str, ...]:
    """Layers of the vision tower beyond the last that the language model is shown, by their names in the plain model.

    Families whose configuration says `vision_feature_layer` (a place or several among the tower's hidden states, the
    first of which goes into its first layer) take the pictures from there: what comes later changes no answer.
    """
    base = base_model_of(model)
    read = getattr(base.config, "vision_feature_layer", None)
    if read is None:
        return ()
    tower = base.get_encoder(modality="image")
    layers = next((m for m in tower.modules() if isinstance(m, torch.nn.ModuleList) and len(m)), ())
    states = len(layers) + 1
    last = max(place % states for place in ([read] if isinstance(read, int) else read))
    names = {id(module): name for name, module in base.named_modules()}
    return tuple(names[id(layer)] for layer in list(layers)[last:])


def mlp_of(layer: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The linear layers of a layer's MLP by name, in order: the last one leads out of its neurons.

    One with an adapter on it counts as the linear layer that it is.

    Raises:
        UsageError: If there is none, e.g. in a mixture of experts.
    """
    found = {
        name: part
        for name, part in layer.get_submodule("mlp").named_children()
        if isinstance(getattr(part, "base_layer", part), torch.nn.Linear)
    }
    if not found:
        raise UsageError(f"{type(layer.mlp).__name__} holds no linear layer: its neurons can't be told apart.")
    return found
