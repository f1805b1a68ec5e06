"""MMUnlearner: ascent on what is to be forgotten, but only in the weights that matter more for it than for the rest.

Before the first step the saliency of each weight is found for the forget set and for what must stay: its squared
gradient of the mean answer loss, averaged over batches (a diagonal Fisher). A mask leaves open the weights whose
saliency for the forget set is at least `threshold` times the other. Each step minimises `-CE_F` through the mask and,
unmasked, `lambda_r CE_R`.

Paper: Huo et al., MMUnlearner. Checked against the code (the authors' `MMUnlearner`, and a fork of it that holds the
mask's file), not against the paper. Deviations: the code alternates a step of ascent with several of descent, clips the
gradient before it is masked, and lets ascent through everywhere but in linear layers; here both are one gradient,
clipped as a whole, and all that is trained is masked. The paper keeps the *text* form of the same subjects; here what
must stay is the retain batch, which `retain_slices` widens. With an adapter the mask is over the adapter's weights.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_unlearn.methods import (
    COMPARISON,
    LEARNING_RATES,
    BatchPlan,
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

PAPER = Paper(
    "MMUnlearner: Reformulating Multimodal Machine Unlearning in the Era of Multimodal Large Language Models",
    "https://arxiv.org/abs/2502.11051",
)

Gradients = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Which weights ascend, and the retention term.

    Args:
        threshold: So many times as salient for the forget set as for what must stay a weight must be. source: code (1).
        saliency_batch_size: Records whose mean loss one gradient is taken of. source: code (2).
    """

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
        "threshold": SearchChoices((0.5, 1.0, 2.0), COMPARISON),
    }

    threshold: float = 1.0
    saliency_batch_size: int = 2

    def __post_init__(self) -> None:
        """Refuse a threshold that masks nothing by construction, and batches of nothing."""
        super().__post_init__()
        if self.threshold <= 0:
            raise ValueError(f"threshold must be positive, got {self.threshold}")
        if self.saliency_batch_size < 1:
            raise ValueError(f"saliency_batch_size must be at least 1, got {self.saliency_batch_size}")


class Method(UnlearningMethod[Config]):
    """Masked ascent on the forget batch plus the retention term."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._masks: Gradients = {}
        self._share = 0.0

    def needs(self) -> Needs:
        """Both batches: what must stay is read for the mask even where it has no weight."""
        return dataclasses.replace(retention_needs(self.config), retain=True)

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Find the mask; it is part of the state, so that a run that goes on doesn't look again."""
        trained = _trained(model)
        if not self.state:
            forget, stay = (self._saliency(model, plan, side) for side in ("forget", "retain"))
            self.state = {name: (forget[name] >= self.config.threshold * stay[name]).cpu() for name in trained}
        self._masks = {name: self.state[name].to(p.device) for name, p in trained.items()}
        opened = sum(int(mask.sum()) for mask in self._masks.values())
        self._share = opened / sum(mask.numel() for mask in self._masks.values())

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The masked ascent plus the retention term.

        The ascent is a linear function of the weights whose slope is the masked gradient and whose value is that of the
        ascent: so the mask stops this gradient alone, and whatever adds up micro-batches adds it up as any other.
        """
        forget_ce = answer_loss(model, batch.forget)
        slope = forget_ce.new_zeros(())
        trained = _trained(model)
        for (name, gradient), parameter in zip(_gradients(forget_ce, trained).items(), trained.values(), strict=True):
            slope = slope + parameter.flatten() @ (self._masks[name] * gradient).flatten()
        forget_ce = forget_ce.detach()
        terms = {"forget_ce": forget_ce, "mask_share": forget_ce.new_tensor(self._share)}
        ascent = slope.detach() - slope - forget_ce
        return with_retention(ascent, terms, self.config, model, batch, reference)

    def _saliency(self, model: torch.nn.Module, plan: BatchPlan, side: str) -> Gradients:
        """Squared gradient of the mean answer loss, averaged over the batches of a side, by weight."""
        trained = _trained(model)
        total = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in trained.items()}
        count = 0
        for part in plan.once(side, self.config.saliency_batch_size):
            count += 1
            loss = answer_loss(model, part.to(next(model.parameters()).device))
            for name, gradient in _gradients(loss, trained).items():
                total[name] += gradient.float().square()
        return {name: summed / count for name, summed in total.items()}


def _trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _gradients(loss: torch.Tensor, trained: dict[str, torch.nn.Parameter]) -> Gradients:
    """By weight; 0 where the loss doesn't depend on it, as a text doesn't on the vision tower."""
    found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(trained.items(), found, strict=True)
    }
