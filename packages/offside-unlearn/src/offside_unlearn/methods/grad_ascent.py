"""Gradient ascent: make the answers to be forgotten unlikely, and nothing else.

Minimises `-CE_F`, the negated mean cross-entropy over the answer tokens of the forget batch. It has
no lower bound: too many steps, or too large ones, wreck the model.

Paper: Maini et al., TOFU (section "Unlearning methods"). Checked against the code (locuslab/tofu), not
against the paper. Deviations: none known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_unlearn.methods import (
    LEARNING_RATES,
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    Space,
    UnlearningMethod,
    answer_loss,
)

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """Gradient ascent has no options of its own."""

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
    }


class Method(UnlearningMethod[Config]):
    """`-CE_F`."""

    def needs(self) -> Needs:
        """The forget batch only."""
        return Needs()

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Negated cross-entropy of the forget answers."""
        forget_ce = answer_loss(model, batch.forget)
        return LossOutput(-forget_ce, {"forget_ce": forget_ce})
