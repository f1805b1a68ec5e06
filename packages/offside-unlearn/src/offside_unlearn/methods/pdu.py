"""PDU: flatten the logits of what is to be forgotten, under the constraint that what must stay is still known.

Minimises `L_F = mean_t (max_v z - mean_v z)^2` over the answer tokens of the forget batch subject to
`CE_R <= epsilon`, by descent on `L_F + lambda (CE_R - epsilon)` and, after each step, ascent on the dual variable:
`lambda <- max(0, lambda + dual_lr (CE_R - epsilon))`. So it needs no retention term: lambda is its weight, and grows
until the constraint holds.

Paper: Entesari et al., Constrained Entropic Unlearning. Checked against the code (`open-unlearning`), not against the
paper. Deviations: the code's mask isn't shifted, so that it leaves the prediction of the first answer token out and
takes in what follows the last one; here the positions that predict answer tokens count. The code moves lambda after
every micro-batch and, on several devices, on each by its own batch; here once an optimizer step, by the mean of its
micro-batches. It warms up in epochs; here in steps. Its update once an epoch, by a pass over all retained records, is
left out. Lambda is saved with each checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from offside_unlearn.methods import (
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    UnlearningMethod,
    answer_loss,
    answers,
    losses,
)

PAPER = Paper(
    "Constrained Entropic Unlearning: A Primal-Dual Framework for Large Language Models",
    "https://arxiv.org/abs/2506.05314",
)


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """The constraint and the dual variable.

    Args:
        epsilon: What the cross-entropy of the retained answers may be; a little more than what it is before
            unlearning. source: code (TOFU: 0.3; MUSE: 0.1 to 1.5).
        dual_start: Lambda before the first step. The flatness is a square of logits and can be large, and so lambda
            starts large. source: code (TOFU: 100; MUSE: 50).
        dual_lr: Step size of lambda. source: code (TOFU: 5; MUSE: 1).
        dual_warmup_steps: So many optimizer steps lambda stays where it starts. source: ours (0; the code waits 5 of
            10 epochs on TOFU, 3 of 10 on MUSE).
    """

    epsilon: float = 0.3
    dual_start: float = 100.0
    dual_lr: float = 5.0
    dual_warmup_steps: int = 0

    def __post_init__(self) -> None:
        """Refuse a constraint that can't hold, and a dual variable that goes the wrong way."""
        if self.dual_lr <= 0:
            raise ValueError(f"dual_lr must be positive, got {self.dual_lr}")
        for name in ("epsilon", "dual_start", "dual_warmup_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


class Method(UnlearningMethod[Config]):
    """Flat logits on the forget batch, a bound on the cross-entropy of the retain batch."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.state = {
            "dual": torch.tensor(config.dual_start, dtype=torch.float64),
            "steps": torch.tensor(0, dtype=torch.int64),
        }

    def needs(self) -> Needs:
        """Both batches."""
        return Needs(retain=True)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The Lagrangian at the lambda of this step."""
        side, dual = batch.forget, float(self.state["dual"])
        output = answers(model, side)
        margin = losses.logit_margin(output.logits, output.labels, tokens=side.tokens)
        retain_ce = answer_loss(model, batch.retain)
        terms = {"forget_margin": margin, "retain_ce": retain_ce, "dual": margin.new_tensor(dual)}
        return LossOutput(margin, terms, dual * (retain_ce - self.config.epsilon))

    def after_step(self, terms: Mapping[str, float]) -> None:
        """Move lambda by how far the retained answers of the step were from what they may cost."""
        self.state["steps"] += 1
        if int(self.state["steps"]) > self.config.dual_warmup_steps:
            excess = terms["retain_ce"] - self.config.epsilon
            self.state["dual"] = (self.state["dual"] + self.config.dual_lr * excess).clamp(min=0)
