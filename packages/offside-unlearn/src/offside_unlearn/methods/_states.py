"""The language model's hidden states where an answer is predicted, for methods that move those."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from offside_data.vlm import base_model_of
from offside_unlearn.layers import layers_of
from offside_unlearn.methods import Side, answers, losses


def layer_at(depth: float, count: int) -> int:
    """Which of `count` layers stands at a share of the depth, from 0 to 1."""
    return min(count - 1, round(depth * count))


def answer_states(model: torch.nn.Module, side: Side, layer: int) -> torch.Tensor:
    """Hidden states after a layer at the positions that predict answer tokens, (answer tokens, width).

    Args:
        model: With or without an adapter.
        side: The batch.
        layer: Its number in the language model; the first is 0.

    Raises:
        RecordError: If the batch has no answer token.
    """
    caught: list[torch.Tensor] = []

    def catch(module: torch.nn.Module, inputs: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        caught.append(output if isinstance(output, torch.Tensor) else output[0])

    with _ending_with(model, layer) as last:
        handle = last.register_forward_hook(catch)
        try:
            answers(model, side)
        finally:
            handle.remove()
    return losses.answer_logits(caught[0], side.inputs["labels"])[0]


@contextlib.contextmanager
def _ending_with(model: torch.nn.Module, layer: int) -> Iterator[torch.nn.Module]:
    """Inside, the language model has no layers behind this one, which is given: nobody reads what they would make."""
    name, last = list(layers_of(model, "language").items())[layer]
    place, _, attribute = name.rpartition(".")[0].rpartition(".")
    holder = base_model_of(model).get_submodule(place)
    whole = getattr(holder, attribute)
    setattr(holder, attribute, torch.nn.ModuleList(list(whole)[: layer + 1]))
    try:
        yield last
    finally:
        setattr(holder, attribute, whole)
