"""How long the gradient of an answer's loss is, one answer at a time.

Of the mean loss over the tokens of the answer's text, with respect to the matrices of the language model's layers:
the two-dimensional weights inside `get_decoder()`'s list of layers, adapters' own left out. Neither embeddings nor the
head, which some families share, nor the vision tower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from offside_data.errors import ModelError
from offside_data.vlm import answer_logprobs, base_model_of, forward
from offside_eval.inference.layers import decoder_layers
from offside_eval.inference.likelihood import conversation

if TYPE_CHECKING:
    from offside_data.vlm import Collator
    from offside_eval.inference.asking import Item

_ADAPTER = "lora_"


@dataclass(frozen=True, slots=True)
class GradientNorm:
    """How long one gradient is.

    Args:
        norm: Its L2 norm over all matrices; null if it isn't finite (a broken model).
    """

    norm: float | None


class Gradients:
    """Differentiates the answers of items.

    Args:
        model: From `load_model`.
        collate: Puts prompts into batches.

    Raises:
        ModelError: If none of the weights can be differentiated (all are quantized).
    """

    def __init__(self, model: Any, collate: Collator) -> None:
        self.model = model
        self._collate = collate
        self._weights = [weight for _, weight in differentiated(model)]
        if not self._weights:
            raise ModelError(
                "this model's layers hold no weights that a gradient could be taken of: they are quantized. Evaluate "
                "it without membership_grad_norm (--metrics)."
            )

    def __call__(self, items: Sequence[Item]) -> list[GradientNorm]:
        """The norm of each item's gold answer; the model is left as it was."""
        with _only(self.model, self._weights):
            return [self._norm(item) for item in items]

    def _norm(self, item: Item) -> GradientNorm:
        batch = self._collate([conversation(item.prompt, item.answers[0])]).to(self.model.device)
        # Pictures that were processed while likelihoods were read can't be differentiated through.
        for name, value in list(batch.items()):
            if isinstance(value, torch.Tensor):
                batch[name] = value.clone()
        with torch.enable_grad():
            output = forward(self.model, batch, keep="answer")
            logprobs, mask = answer_logprobs(output.logits, output.labels)
            loss = -logprobs[mask][: item.n_content or None].mean()
            gradients = torch.autograd.grad(loss, self._weights, allow_unused=True)
        squares = torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum()
        norm = float(squares.sqrt())
        return GradientNorm(norm if torch.isfinite(squares) else None)


def differentiated(model: Any) -> list[tuple[str, torch.nn.Parameter]]:
    """The weights that the gradient is of, with their names in the plain model."""
    layers = decoder_layers(model)
    names = {id(module): name for name, module in base_model_of(model).named_modules()}
    return [
        (f"{names[id(layer)]}.{name}", weight)
        for layer in layers
        for name, weight in layer.named_parameters()
        if weight.ndim == 2 and weight.is_floating_point() and _ADAPTER not in name
    ]


@contextmanager
def _only(model: Any, weights: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Differentiate with respect to these weights alone."""
    before = [(weight, weight.requires_grad) for weight in model.parameters()]
    wanted = {id(weight) for weight in weights}
    try:
        for weight, _ in before:
            weight.requires_grad_(id(weight) in wanted)
        yield
    finally:
        for weight, was in before:
            weight.requires_grad_(was)
