"""Negative preference optimisation: gradient ascent that fades as an answer becomes unlikely.

Minimises `-(2/beta) E_F[log sigmoid(-beta (log p(y|x) - log p0(y|x)))] (+ lambda_r CE_R)`.
`log p(y|x)` is the sum over the answer's tokens; `average_log_prob` takes their mean instead.

Paper: Zhang et al., Negative Preference Optimization. Deviations: the OFFSIDE script uses mean
log-probabilities, beta 0.9, no retention term and a model trained on the retain set as reference;
here the reference is the model before unlearning, as in the authors' code. Checked against that code
(licong-lin/negative-preference-optimization, the TOFU part), not against the paper.
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
    answers,
    losses,
    retention_needs,
    with_retention,
)

PAPER = Paper(
    "Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning",
    "https://arxiv.org/abs/2404.05868",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How sharply the push fades, and the retention term.

    Args:
        beta: Small = like gradient ascent, large = stops early. source: code (0.1; OFFSIDE: 0.9).
        average_log_prob: Mean instead of sum over an answer's tokens.
            source: paper (sum); code (OFFSIDE: mean).
    """

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
        "lambda_r": SearchChoices((0.0, 0.5, 1.0), COMPARISON),
        "beta": SearchChoices((0.6, 0.9, 1.2), COMPARISON),
    }

    beta: float = 0.1
    average_log_prob: bool = False

    def __post_init__(self) -> None:
        """Refuse a beta for which the formula means nothing."""
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta must be positive, got {self.beta}")


class Method(UnlearningMethod[Config]):
    """NPO on the forget batch plus the retention term."""

    def needs(self) -> Needs:
        """Both batches, and one frozen number for each forget record."""
        return dataclasses.replace(retention_needs(self.config), record_reference=frozenset({"forget"}))

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The NPO term plus the retention term."""
        side = batch.forget
        mean = self.config.average_log_prob
        frozen = reference.record_logprobs(side, mean=mean)
        output = answers(model, side)
        current = losses.record_logprobs(output.logits, output.labels, mean=mean)
        term = losses.npo(current, frozen, beta=self.config.beta, records=side.records)
        terms = {"forget_npo": term, "forget_log_ratio": (current.detach() - frozen).sum() / side.records}
        return with_retention(term, terms, self.config, model, batch, reference)
