"""SatImp: ascent on the tokens that are neither unlikely already (saturation) nor certain (importance).

Minimises `E_F[sum_t w_t log p(y_t)] + lambda_r CE_R`, `w_t = p^saturation (1 - p)^importance` without
gradient: weighted gradient ascent (wga) with one more factor.

Paper: Yang et al., Exploring Criteria of Loss Reweighting. Checked against the code
(tmlr-group/SatImp, and open-unlearning), not against the paper. Deviations: none in the forget term;
`reduction` is `mean` as in both codes, the formula has the sum. The paper's beta1 and beta2 are
`saturation` and `importance` here, because the optimizer has a `beta2`. The authors recommend 5
and 0.1 and weigh the retention term 0.1; open-unlearning takes 5 and 1, and weighs the forget
term 0.1 in one place, the retention term in another.
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

PAPER = Paper("Exploring Criteria of Loss Reweighting to Enhance LLM Unlearning", "https://arxiv.org/abs/2505.11953")


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How the tokens are weighed, and the retention term.

    Args:
        saturation: beta1; the larger, the sooner a token that has become unlikely is left alone.
            source: code (5).
        importance: beta2; the larger, the less a token counts of which the model is certain.
            source: code (0.1; open-unlearning: 1).
        reduction: `mean` over the answer tokens of the batch, or `sum` over those of a record and mean
            over records. source: code (mean); paper (sum).
        lambda_r: Weight of the retention term. source: code (0.1).
    """

    saturation: float = 5.0
    importance: float = 0.1
    reduction: Literal["mean", "sum"] = "mean"
    lambda_r: float = 0.1

    def __post_init__(self) -> None:
        """Refuse exponents that would turn a weight round, or make it infinite."""
        super().__post_init__()
        if self.saturation < 0 or self.importance < 0:
            raise ValueError(
                f"saturation and importance must not be negative, got {self.saturation} and {self.importance}"
            )


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
        term = losses.reweighted_ascent(
            nll, saturation=config.saturation, importance=config.importance, divisor=divisor
        )
        terms = {"forget_sat_imp": term, "forget_ce": nll.detach().sum() / side.tokens}
        return with_retention(term, terms, config, model, batch, reference)
