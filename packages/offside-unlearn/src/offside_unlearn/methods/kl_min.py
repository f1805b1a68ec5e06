"""KL minimisation: ascent on what is to be forgotten, and stay close to the frozen model elsewhere.

Minimises `-CE_F + alpha mean_t KL(p0 || p) (+ lambda_r CE_R)`; the mean runs over the answer tokens
of the retain batch, prompt and padding excluded.

Paper: Maini et al., TOFU. Checked against the code (locuslab/tofu), not against the paper.
Deviations: TOFU takes the KL over all positions, prompt and padding included. The OFFSIDE script
adds `CE_R` and weighs the KL 0.1: `alpha=0.1 lambda_r=1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_unlearn.methods import (
    COMPARISON,
    LEARNING_RATES,
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    SearchChoices,
    Space,
    UnlearningMethod,
    answer_loss,
    answers,
    losses,
)

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """Weights of the two terms that keep the model.

    Args:
        alpha: Weight of the KL to the frozen model. source: paper (1); code (OFFSIDE: 0.1).
        lambda_r: Weight of the cross-entropy on the retain batch. source: paper (0); code (OFFSIDE: 1).
    """

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
        "alpha": SearchChoices((0.5, 1.0, 2.0), COMPARISON),
    }

    alpha: float = 1.0
    lambda_r: float = 0.0

    def __post_init__(self) -> None:
        """Refuse weights that would train against the retain set."""
        if self.alpha < 0 or self.lambda_r < 0:
            raise ValueError(f"alpha and lambda_r must not be negative, got {self.alpha} and {self.lambda_r}")


class Method(UnlearningMethod[Config]):
    """`-CE_F + alpha KL_R (+ lambda_r CE_R)`."""

    def needs(self) -> Needs:
        """Both batches, and the frozen model's distributions on the retain batch."""
        return Needs(
            retain=self.config.alpha > 0 or self.config.lambda_r > 0,
            token_reference=frozenset({"retain"} if self.config.alpha > 0 else ()),
        )

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Negated cross-entropy of the forget answers plus the terms that keep the model."""
        forget_ce = answer_loss(model, batch.forget)
        terms, kept = {"forget_ce": forget_ce}, forget_ce.new_zeros(())
        if not self.needs().retain:
            return LossOutput(-forget_ce, terms)
        side = batch.retain
        frozen = reference.token_logprobs(side) if self.config.alpha > 0 else None
        output = answers(model, side)
        if frozen is not None:
            terms["retain_kl"] = losses.kl(frozen, output.logits, output.labels, tokens=side.tokens)
            kept = kept + self.config.alpha * terms["retain_kl"]
        if self.config.lambda_r > 0:
            terms["retain_ce"] = losses.cross_entropy(output.logits, output.labels, tokens=side.tokens)
            kept = kept + self.config.lambda_r * terms["retain_ce"]
        return LossOutput(-forget_ce, terms, kept)
