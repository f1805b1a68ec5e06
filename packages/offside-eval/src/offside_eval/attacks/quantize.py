"""Round the weights to a few bits: what was only pushed below the surface may come back, without any data.

Each matrix is rounded to nearest, symmetrically, with one scale a row (output channel), as a weight-only quantisation
stores it; norms and biases stay, and so do the activations. The weights are put back to the bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from offside_data.errors import UsageError
from offside_data.vlm import base_model_of
from offside_eval.attacks import Access, AttackTarget, Attempt, Paper, RecoveryAttack

PAPER = Paper(
    "Catastrophic Failure of LLM Unlearning via Quantization",
    "https://arxiv.org/abs/2410.16454",
)


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """The plain question, to the model with rounded weights.

    Args:
        bits: To how many bits, one after another.
    """

    access: ClassVar[Access] = "weights"
    bits: tuple[int, ...] = (8, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bits or any(not 2 <= bits <= 16 for bits in self.bits):
            raise UsageError(f"bits must be from 2 to 16, got {', '.join(map(str, self.bits)) or 'none'}.")

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """Once for each number of bits."""
        for bits in self.bits:
            with rounded(target.model, bits):
                yield from target.ask([target.plain(claim, f"{bits}bit") for claim in target.claims])


@contextlib.contextmanager
def rounded(model: Any, bits: int) -> Iterator[None]:
    """The block in which a model's matrices are rounded.

    Args:
        model: Any model; an adapter that isn't folded is folded first, for what is stored is the sum.
        bits: How many a weight keeps.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    kept = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.ndim >= 2}
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    folds = base_model_of(model) is not model and any(not layer.merged for layer in layers)
    if folds:
        model.merge_adapter()
    try:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in kept:
                    weight.copy_(round_to(weight, bits))
        yield
    finally:
        if folds:
            model.unmerge_adapter()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in kept:
                    weight.copy_(kept[name])


def round_to(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """A matrix rounded to nearest on a grid that is symmetric about 0, of one scale a row.

    Args:
        weight: Shape (rows, ...).
        bits: `2^(bits-1) - 1` steps to either side of 0.
    """
    steps = 2 ** (bits - 1) - 1
    flat = weight.detach().float().flatten(1)
    scale = flat.abs().amax(1, keepdim=True) / steps
    grid = torch.where(scale > 0, flat / scale, torch.zeros_like(flat)).round()
    found: torch.Tensor = (grid * scale).reshape(weight.shape).to(weight.dtype)
    return found
