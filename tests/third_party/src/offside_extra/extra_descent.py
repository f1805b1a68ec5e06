"""Half of gradient ascent, to show what a third party's method looks like.

Minimises `-CE_F / 2`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from offside_unlearn.methods import (
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    Reference,
    UnlearningMethod,
    answer_loss,
)

PAPER = Paper("An example, not a paper", "https://example.org/extra-descent")


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """How much of gradient ascent.

    Args:
        share: Factor on the loss. source: ours.
    """

    share: float = 0.5


class Method(UnlearningMethod[Config]):
    """`-share * CE_F`."""

    def needs(self) -> Needs:
        """The forget batch only."""
        return Needs()

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: Reference) -> LossOutput:
        """Negated cross-entropy of the forget answers, scaled."""
        forget_ce = answer_loss(model, batch.forget)
        return LossOutput(-self.config.share * forget_ce, {"forget_ce": forget_ce})
