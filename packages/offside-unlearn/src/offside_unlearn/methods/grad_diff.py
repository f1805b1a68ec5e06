"""Gradient difference: ascent on what is to be forgotten, descent on what must stay.

Minimises `-CE_F + lambda_r CE_R`.

Paper: Maini et al., TOFU, after Liu et al. 2022 (Continual Learning and Private Unlearning). Checked
against the code (locuslab/tofu), not against the paper. Deviations: the OFFSIDE script weighs both
terms by their share of the batch (1/4 and 3/4); here their ratio is `lambda_r` alone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_unlearn.methods import (
    COMPARISON,
    LEARNING_RATES,
    LossOutput,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    RetentionConfig,
    SearchChoices,
    Space,
    UnlearningMethod,
    answer_loss,
    retention_needs,
    with_retention,
)

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Only the retention term's options."""

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
        "lambda_r": SearchChoices((0.5, 1.0, 2.0), COMPARISON),
    }


class Method(UnlearningMethod[Config]):
    """`-CE_F + lambda_r CE_R`."""

    def needs(self) -> Needs:
        """Both batches."""
        return dataclasses.replace(retention_needs(self.config), forget=True)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Negated cross-entropy of the forget answers plus the retention term."""
        forget_ce = answer_loss(model, batch.forget)
        return with_retention(-forget_ce, {"forget_ce": forget_ce}, self.config, model, batch, reference)
