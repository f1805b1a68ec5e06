"""CE-U: learn what one would say oneself if the answer's token didn't exist.

Minimises the cross-entropy to the model's own distribution with the answer's token removed (its logit at -inf, the
rest renormalised, no gradient into it), mean over the answer tokens of the forget batch (`+ lambda_r CE_R`). Its
gradient vanishes as the token becomes unlikely, where that of gradient ascent grows.

Paper: Yang, CE-U. Checked against the code (`open-unlearning`), not against the paper. Deviations: the code, as the
paper, has no retention term; here it is an option, off by default. The code lets an answer of no more than
`skip_first` tokens count for nothing; here it is an error.
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

PAPER = Paper("CE-U: Cross Entropy Unlearning", "https://arxiv.org/abs/2503.01224")


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Which tokens count, and the retention term.

    Args:
        skip_first: So many tokens at the beginning of each answer are left out. source: code (1).
        lambda_r: Weight of the retention term; 0 leaves it and the retain batches out. source: paper (0).
    """

    skip_first: int = 1
    lambda_r: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a number of tokens that can't be left out."""
        super().__post_init__()
        if self.skip_first < 0:
            raise ValueError(f"skip_first must not be negative, got {self.skip_first}")


class Method(UnlearningMethod[Config]):
    """CE-U on the forget batch, and the retention term if it has a weight."""

    def needs(self) -> Needs:
        """The forget batch, and what the retention term reads."""
        return retention_needs(self.config)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The CE-U term plus the retention term."""
        side, skipped = batch.forget, self.config.skip_first
        output = answers(model, side)
        labels = losses.without_first(output.labels, skipped)
        # Every answer has tokens left, so this is the mean number of tokens that count in a micro-batch.
        tokens = side.tokens - skipped * side.records
        term = losses.ce_u(output.logits, labels, tokens=tokens)
        return with_retention(term, {"forget_ce_u": term}, self.config, model, batch, reference)
