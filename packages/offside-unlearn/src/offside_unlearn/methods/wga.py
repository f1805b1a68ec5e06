"""Weighted gradient ascent: ascent that leaves alone the tokens that are unlikely already.

Minimises `E_F[sum_t w_t log p(y_t)] + lambda_r CE_R`, `w_t = p(y_t)^beta` without gradient. Plain
ascent pushes a token the harder the less likely it is; the weight undoes that.

Paper: Wang et al., Rethinking LLM Unlearning Objectives. Checked against the code
(tmlr-group/G-effect, and open-unlearning), not against the paper. Deviations: none in the forget
term; `reduction` is `mean` as in both codes, the formula has the sum. The authors' retention term
is a KL over all positions, prompt and padding included: `retention=kl` takes answer tokens only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from offside_unlearn.methods import (
    LossOutput,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    RetentionConfig,
    UnlearningMethod,
    answers,
    losses,
    retention_needs,
    with_retention,
)

PAPER = Paper(
    "Rethinking LLM Unlearning Objectives: A Gradient Perspective and Go Beyond", "https://arxiv.org/abs/2502.19301"
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How soon a token is left alone, and the retention term.

    Args:
        beta: 0 = gradient ascent, large = stops early. source: code (1; the authors' script falls back to 5).
        reduction: `mean` over the answer tokens of the batch, or `sum` over those of a record and mean
            over records. source: code (mean); paper (sum).
    """

    beta: float = 1.0
    reduction: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        """Refuse a beta that would push unlikely tokens hardest."""
        super().__post_init__()
        if self.beta < 0:
            raise ValueError(f"beta must not be negative, got {self.beta}")


class Method(UnlearningMethod[Config]):
    """Weighted ascent on the forget batch plus the retention term."""

    def needs(self) -> Needs:
        """Both batches."""
        return retention_needs(self.config)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The weighted log-likelihood of the forget answers plus the retention term."""
        side, config = batch.forget, self.config
        output = answers(model, side)
        divisor = side.tokens if config.reduction == "mean" else side.records
        nll = losses.token_nll(output.logits, output.labels)
        term = losses.reweighted_ascent(nll, saturation=config.beta, divisor=divisor)
        terms = {"forget_wga": term, "forget_ce": nll.detach().sum() / side.tokens}
        return with_retention(term, terms, config, model, batch, reference)
