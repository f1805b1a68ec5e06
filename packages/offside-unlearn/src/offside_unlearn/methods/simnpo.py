"""Simple negative preference optimisation: NPO without a reference, by the mean log-probability of an answer.

Minimises `-(2/beta) E_F[log sigmoid(-(beta/T) log p(y|x) - gamma)] + lambda_r CE_R`, `T` answer tokens.
Where NPO stops once an answer is less likely than it was, this stops once it is unlikely, however
likely it was and however long it is.

Paper: Fan et al., Simplicity Prevails. Checked against the code (OPTML-Group/Unlearn-Simple, the
TOFU part, and open-unlearning), not against the paper. Deviations: that code writes
`beta (NLL/T - g)`, so that our `gamma` is `beta g`, and weighs the forget term (`npo_coeff` 0.125,
0.1375) where we weigh the other one: `lambda_r` is its inverse. The MUSE part of the same repository
takes raw logits for log-probabilities; ours doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    "Simplicity Prevails: Rethinking Negative Preference Optimization for LLM Unlearning",
    "https://arxiv.org/abs/2410.07163",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How sharply and how late the push fades, and the retention term.

    Args:
        beta: How sharply the push fades as an answer becomes unlikely. source: code (4.5; 2.5 for a
            smaller forget set).
        gamma: How far below certainty an answer must fall before the push fades. source: code (0).
        lambda_r: Weight of the retention term. source: code (1 / 0.125).
    """

    beta: float = 4.5
    gamma: float = 0.0
    lambda_r: float = 8.0

    def __post_init__(self) -> None:
        """Refuse values for which the formula means nothing."""
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta must be positive, got {self.beta}")
        if self.gamma < 0:
            raise ValueError(f"gamma must not be negative, got {self.gamma}")


class Method(UnlearningMethod[Config]):
    """SimNPO on the forget batch plus the retention term."""

    def needs(self) -> Needs:
        """Both batches; no frozen model but for a retention term that asks for it."""
        return retention_needs(self.config)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The SimNPO term plus the retention term."""
        side, config = batch.forget, self.config
        output = answers(model, side)
        current = losses.record_logprobs(output.logits, output.labels, mean=True)
        term = losses.simnpo(current, beta=config.beta, gamma=config.gamma, records=side.records)
        terms = {"forget_simnpo": term, "forget_mean_logprob": current.detach().sum() / side.records}
        return with_retention(term, terms, config, model, batch, reference)
