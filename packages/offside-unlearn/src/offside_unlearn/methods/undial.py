"""UNDIAL: learn the frozen model's own distribution with the token to be forgotten lowered in it.

Minimises the cross-entropy to `softmax(z0 - gamma onehot(y_t))`, `z0` the frozen model's logits, mean over the answer
tokens of the forget batch, `+ lambda_r CE_R`. What the frozen model would have said else keeps its proportions, and
the loss has a minimum, where gradient ascent goes on.

Paper: Dong et al., UNDIAL. Checked against the code (the authors' `LLM_unlearning`, and `open-unlearning`), not
against the paper. Deviations: both take the mean over all positions, question and padding included, and lower a token
at each of them (`open-unlearning` takes the label -100 as an index there); here only answer tokens count. Both load
the frozen model a second time and have no retention term (`open-unlearning`: one of weight 0 that its script searches
over 1, 2, 5). The authors' weighting of chosen tokens ("focused") is left out.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_unlearn.methods import (
    COMPARISON,
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
    "UNDIAL: Self-Distillation with Adjusted Logits for Robust Unlearning in Large Language Models",
    "https://arxiv.org/abs/2402.10052",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How far the token is lowered, and the retention term.

    Args:
        gamma: What is taken from the frozen logit of the answer's token. source: code (open-unlearning: 10,
            searched over 3, 10, 30; the authors' script: 5).
    """

    search: ClassVar[Space] = {
        "lr": SearchChoices((1e-5, 1e-4, 3e-4), COMPARISON),
        "lambda_r": SearchChoices((1.0, 2.0, 5.0), COMPARISON),
        "gamma": SearchChoices((3.0, 10.0, 30.0), COMPARISON),
    }

    gamma: float = 10.0

    def __post_init__(self) -> None:
        """Refuse a gamma that would teach the answer."""
        super().__post_init__()
        if self.gamma <= 0:
            raise ValueError(f"gamma must be positive, got {self.gamma}")


class Method(UnlearningMethod[Config]):
    """Self-distillation from lowered logits on the forget batch plus the retention term."""

    def needs(self) -> Needs:
        """Both batches, and the frozen model's distributions on the forget batch."""
        needs = retention_needs(self.config)
        return dataclasses.replace(needs, token_reference=needs.token_reference | {"forget"})

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The distillation term plus the retention term."""
        side = batch.forget
        frozen = reference.token_logprobs(side)
        output = answers(model, side)
        term = losses.undial(frozen, output.logits, output.labels, gamma=self.config.gamma, tokens=side.tokens)
        return with_retention(term, {"forget_undial": term}, self.config, model, batch, reference)
