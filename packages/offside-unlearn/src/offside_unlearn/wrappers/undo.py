"""undo: shrink and noise the unlearned weights, then distil the unlearned model's answers back into them.

After the method `theta <- (1 - share) theta_u + share scale n`, `n` drawn as fresh weights are, then training with
`KL(p_u || p)` on the answers of what must stay, `p_u` the unlearned model: what its weights still knew, but its answers
didn't show, isn't carried over.

Paper: Lee et al., Distillation Robustifies Unlearning. Checked against the code, not against the paper; as there, a
matrix gets uniform Xavier noise, and a vector (bias, norm) is only shrunk. Deviations: their distillation takes texts
of both domains, what must stay and what was to be forgotten, half and half, whole texts; here the answers of what must
stay. They end when the loss on what must stay is within 5 % of the teacher's; here after so many steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_unlearn.methods import (
    BatchPlan,
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    ReferenceModel,
    UnlearningMethod,
    answers,
    losses,
)
from offside_unlearn.wrappers import Paper, UnlearningWrapper, UnlearnTask, WrapperConfig

PAPER = Paper("Distillation Robustifies Unlearning", "https://arxiv.org/abs/2506.06278")


@dataclass(frozen=True, kw_only=True)
class Config(WrapperConfig):
    """How far the weights are sent away, and how long they have to come back.

    Args:
        noise_share: How much of each weight is exchanged. source: code (0.1 to 0.7).
        noise_scale: Of the noise that comes in its place. source: code (0.1).
        distil_steps: Optimizer steps of the distillation; null = as many as the method has. source: ours.
        distil_lr: Its learning rate; null = the method's. source: ours.
    """

    noise_share: float = 0.3
    noise_scale: float = 0.1
    distil_steps: int | None = None
    distil_lr: float | None = None

    def __post_init__(self) -> None:
        """Refuse shares that are none, and a distillation that does nothing."""
        if not 0 < self.noise_share <= 1:
            raise ValueError(f"noise_share is above 0 and at most 1, got {self.noise_share}")
        if not 0 <= self.noise_scale <= 1:
            raise ValueError(f"noise_scale is from 0 to 1, got {self.noise_scale}")
        for name in ("distil_steps", "distil_lr"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


class Wrapper(UnlearningWrapper[Config]):
    """One more training, after all others."""

    def wrap(self, tasks: Sequence[UnlearnTask]) -> list[UnlearnTask]:
        """The trainings and the distillation.

        Raises:
            UsageError: If an adapter is trained: shrinking it would undo the unlearning, not the memory.
        """
        last = tasks[-1]
        if not last.options.full:
            raise UsageError(
                "undo shrinks and noises the model's own weights; those of an adapter hold the unlearning itself. "
                "Use --full."
            )
        config = dataclasses.replace(
            last.config,
            max_steps=self.config.distil_steps or sum(task.steps() for task in tasks),
            lr=self.config.distil_lr or last.config.lr,
        )
        return [*tasks, dataclasses.replace(last, method=Distillation(self.config), config=config)]


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(MethodConfig):
    """It has no options of its own."""


class Distillation(UnlearningMethod[DistillationConfig]):
    """Noise at the start, then the answers of the model from before.

    Args:
        noise: How much of it.
    """

    def __init__(self, noise: Config) -> None:
        super().__init__(DistillationConfig())
        self._noise = noise

    def needs(self) -> Needs:
        """What must stay, and what the unlearned model says of it."""
        return Needs(forget=False, retain=True, token_reference=frozenset({"retain"}))

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Shrink and noise what is trained."""
        share, scale = self._noise.noise_share, self._noise.noise_scale
        generator = torch.Generator().manual_seed(rng(seed, "undo", "noise").getrandbits(63))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    noise = torch.zeros(parameter.shape)
                    if parameter.dim() > 1:
                        torch.nn.init.xavier_uniform_(noise, generator=generator)
                    parameter.mul_(1 - share).add_(noise.to(parameter), alpha=share * scale)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Nothing is forgotten any more; the KL holds what must stay."""
        side = batch.retain
        frozen, output = reference.token_logprobs(side), answers(model, side)
        divergence = losses.kl(frozen, output.logits, output.labels, tokens=side.tokens)
        return LossOutput(divergence.new_zeros(()), {"distil_kl": divergence}, divergence)
