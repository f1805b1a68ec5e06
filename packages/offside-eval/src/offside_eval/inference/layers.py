"""Where a model's decoder layers are, in any family."""

from __future__ import annotations

from typing import Any

import torch

from offside_data.errors import ModelError
from offside_data.vlm import base_model_of


def decoder_layers(model: Any) -> list[torch.nn.Module]:
    """The layers of the language model, in their order.

    Raises:
        ModelError: If there is no list of them.
    """
    decoder = base_model_of(model).get_decoder()
    lists = [module for module in decoder.modules() if isinstance(module, torch.nn.ModuleList) and len(module)]
    if not lists:
        raise ModelError(f"{type(decoder).__name__} keeps no list of layers, so its hidden states can't be read.")
    return list(lists[0])
