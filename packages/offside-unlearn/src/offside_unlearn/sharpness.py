"""Sharpness-aware gradients: forgetting is asked for where it is worst nearby, so that a small change can't undo it.

Of a step's loss `F + K` (`F` forgets, `K` keeps) the gradient is `grad F(theta + rho g / |g|) + grad K(theta)` with
`g = grad F(theta)`, all of them of the whole step, however many micro-batches it is made of.

Paper: Fan et al., Towards LLM Unlearning Resilient to Relearning Attacks: A Sharpness-Aware Minimization Perspective
and Beyond, 2502.05374.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch

from offside_unlearn import ranks
from offside_unlearn.batches import PairedBatch
from offside_unlearn.methods import LossOutput


class SharpnessAware:
    """The gradients of one optimizer step after the other.

    Args:
        rho: How far from the weights the worst is looked for: the length of the way there, all weights together.
        trained: The weights that are trained, by name.
    """

    def __init__(self, rho: float, trained: Sequence[tuple[str, torch.nn.Parameter]]) -> None:
        self._rho = rho
        self._weights = [parameter for _, parameter in trained]
        self._batches: Sequence[PairedBatch] = ()
        self._losses: list[torch.Tensor] = []
        self._ascent: list[torch.Tensor] = []

    def begin(self, batches: Sequence[PairedBatch]) -> None:
        """A step begins.

        Args:
            batches: All its micro-batches.
        """
        self._batches, self._losses = batches, []

    def backward(
        self, first: Callable[[PairedBatch], LossOutput], again: Callable[[PairedBatch], LossOutput]
    ) -> torch.Tensor:
        """Add the gradient of the step's next micro-batch; called once for each of them.

        Args:
            first: The loss at the weights.
            again: The same, anywhere else.

        Returns:
            Its share of the loss at the weights.
        """
        count = len(self._batches)
        if not self._losses:
            self._look(first, count)
        number = count - len(self._losses)
        with self._at_worst():
            forget = again(self._batches[number]).forget
            if forget.requires_grad:  # Else nothing is to be forgotten, as when distilling.
                torch.autograd.backward(forget / count)
        return self._losses.pop(0)

    def _look(self, loss_of: Callable[[PairedBatch], LossOutput], count: int) -> None:
        """Gradient of `K` of all micro-batches, and the way to where `F` is worst."""
        self._ascent = [torch.zeros_like(weight) for weight in self._weights]
        for batch in self._batches:
            output = loss_of(batch)
            kept = output.kept is not None and output.kept.requires_grad
            if output.forget.requires_grad:
                found = torch.autograd.grad(output.forget / count, self._weights, retain_graph=kept, allow_unused=True)
                for total, gradient in zip(self._ascent, found, strict=True):
                    if gradient is not None:
                        total += gradient
            if kept and output.kept is not None:
                torch.autograd.backward(output.kept / count)
            self._losses.append(output.loss.detach() / count)
        ranks.average(self._ascent)
        norm = torch.stack([part.norm() for part in self._ascent]).norm()
        if norm > 0:
            for part in self._ascent:
                part.mul_(self._rho / norm)

    @contextlib.contextmanager
    def _at_worst(self) -> Iterator[None]:
        kept = [weight.detach().clone() for weight in self._weights]
        with torch.no_grad():
            for weight, way in zip(self._weights, self._ascent, strict=True):
                weight.add_(way)
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, value in zip(self._weights, kept, strict=True):
                    weight.copy_(value)
