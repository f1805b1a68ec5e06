"""What every unlearning method looks like: one file here, the file name is the method's name.

A method file holds a module docstring (the paper, the formula, where the code deviates), `PAPER`,
`Config` (a frozen dataclass) and `Method`. `docs/extending.md` shows a whole one.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

import torch

from offside_data.vlm import Intervention, Output, forward
from offside_unlearn import losses
from offside_unlearn.batches import BatchPlan, Needs, PairedBatch, Side
from offside_unlearn.manifest import LOGGED
from offside_unlearn.reference import ReferenceModel
from offside_unlearn.sides import RequestRecords, SideRecords


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """Base of every method's `Config`; it has no options of its own."""


@dataclass(frozen=True, kw_only=True)
class RetentionConfig(MethodConfig):
    """Options of a method with the usual retention term (`+R`).

    Args:
        lambda_r: Weight of the retention term; 0 leaves it and the retain batches out.
            source: code (alpha = gamma = 1 in the NPO reference code).
        retention: `ce` = cross-entropy on the retain batch, `kl` = KL(p0 || p) on its answers.
            source: paper (cross-entropy).
    """

    lambda_r: float = 1.0
    retention: Literal["ce", "kl"] = "ce"

    def __post_init__(self) -> None:
        """Refuse a weight that would train against the retain set."""
        if self.lambda_r < 0:
            raise ValueError(f"lambda_r must not be negative, got {self.lambda_r}")


@dataclass(frozen=True)
class LossOutput:
    """What one step computes.

    Args:
        forget: What is minimised so that the model forgets: a scalar.
        terms: The parts of the loss, unweighted, logged each under its name.
        kept: What is minimised besides so that the rest stays, weighted as it counts; null where there is no such part.

    Raises:
        ValueError: If a term is called as something that is logged anyway.
    """

    forget: torch.Tensor
    terms: dict[str, torch.Tensor]
    kept: torch.Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse a term that would stand in the log in place of something else."""
        taken = sorted(LOGGED & self.terms.keys())
        if taken:
            raise ValueError(f"loss terms may not be called {', '.join(taken)}: the log has these already")

    @property
    def loss(self) -> torch.Tensor:
        """All that is minimised: a scalar."""
        return self.forget if self.kept is None else self.forget + self.kept


C = TypeVar("C", bound=MethodConfig)


class UnlearningMethod(ABC, Generic[C]):
    """One unlearning method: a loss over a pair of batches.

    Args:
        config: Its options.

    Attributes:
        state: What of the method itself changes while training, e.g. a dual variable, or takes long to find out, by
            name: tensors on the CPU, for most methods none. It is saved with each checkpoint and put back from it.
        ended: Whether training is over: what `finish` does from then on is never put back.
        needs_full: Whether it changes the model's own weights in a way that no adapter can hold, so that it needs
            `--full`.
        whole: Whether its result is a whole model also where an adapter was trained. Then `finish` puts it into the
            weights below the adapter and empties the adapter; what it changed there, `loss` puts back.
    """

    needs_full: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def __init__(self, config: C) -> None:
        self.config = config
        self.state: dict[str, torch.Tensor] = {}
        self.ended = False

    @abstractmethod
    def needs(self) -> Needs:
        """What this method reads, given its config."""

    def sides(self, data: RequestRecords) -> Mapping[str, SideRecords]:
        """Sides of its own, by name; called once, before anything is encoded. For most methods none.

        A usual side's name puts these records in its place: `forget`, of which refusals and alternatives are made too.

        Args:
            data: The request and all of its dataset.
        """
        return {}

    @abstractmethod
    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The loss of one micro-batch: means over the batch, of answer tokens or of records.

        Pass `side.tokens` or `side.records` as the divisor to the functions of `losses`: then
        accumulated micro-batches give the same gradient as one big batch.
        """

    def trains(self, model: torch.nn.Module) -> str | None:
        """Which modules are trained: a regex on whole module names of the plain model, or null for what `--tune` says.

        A method that says so itself takes no `--tune`.
        """
        return None

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Find out what is needed before the first step, with the model at its start and in eval mode.

        Called also when a run that was killed goes on; then `state` holds what its last checkpoint saved, so that what
        takes long needn't be found again.

        Args:
            model: Its gradients are to be left as they are, and its weights, unless training is to start elsewhere:
                then they are changed again when a run goes on.
            plan: `plan.once(side, size)` gives all records of a side.
            seed: Of everything random.

        Raises:
            UsageError: If this model can't be unlearned in this way.
        """

    def after_step(self, terms: Mapping[str, float]) -> None:
        """Move `state`; called after each optimizer step, before anything is saved, if there is any.

        Args:
            terms: Each loss term's mean over the micro-batches of the step, which don't show in it.
        """

    def finish(self, model: torch.nn.Module) -> None:
        """Make the unlearned model of the trained one, in place, before it is saved.

        At a point of a curve, too; after it training goes on with the weights as they were.
        """


class EditingMethod(UnlearningMethod[C]):
    """A method that changes weights at once, without any training: `begin` finds out which, `edit` does it in steps.

    Its steps count as those of a training do: by `max_steps` (1 unless more are asked for), and for the points of a
    curve. It changes the model's own weights, so that it needs `--full`.
    """

    needs_full: ClassVar[bool] = True

    @abstractmethod
    def edit(self, model: torch.nn.Module, step: int) -> dict[str, float]:
        """Do step `step` (the first is 1), in place, to weights that require gradients.

        Returns:
            What the log says of it, by name.
        """

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """There is none.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{type(self).__module__} isn't trained, so it has no loss")


class InterveningMethod(EditingMethod[C]):
    """A method that changes no weights: its run holds an `Intervention` in their place, and the name of the base model.

    `begin` finds out what it needs, `intervention` says what is done in each dose.

    Attributes:
        has_doses: Whether its steps differ, so that a curve and more steps than one make sense.
        applied: What is done after the last step.
    """

    has_doses: ClassVar[bool] = True

    def __init__(self, config: C) -> None:
        super().__init__(config)
        self.applied: Intervention | None = None
        self._hooks = contextlib.ExitStack()

    @abstractmethod
    def intervention(self, step: int) -> tuple[Intervention, dict[str, float]]:
        """What is done after so many steps, and what the log says of it, by name."""

    def edit(self, model: torch.nn.Module, step: int) -> dict[str, float]:
        """Put the intervention of this step in the place of the one before; it acts on the model until `withdraw`."""
        self.withdraw()
        self.applied, said = self.intervention(step)
        self._hooks.enter_context(self.applied.attached(model))
        return said

    def withdraw(self) -> None:
        """Let go of the model."""
        self._hooks.close()


def answers(model: torch.nn.Module, side: Side) -> Output:
    """Run the model on a whole batch, pictures included.

    Returns:
        `logits` and the `labels` that belong to them, at the positions where answers are predicted.
    """
    return forward(model, side.inputs, keep="answer")


def answer_loss(model: torch.nn.Module, side: Side) -> torch.Tensor:
    """`CE`: mean negative log-likelihood of the answer tokens."""
    output = answers(model, side)
    return losses.cross_entropy(output.logits, output.labels, tokens=side.tokens)


def retention_needs(config: RetentionConfig) -> Needs:
    """The part of `needs()` that the retention term causes."""
    if config.lambda_r == 0:
        return Needs()
    return Needs(retain=True, token_reference=frozenset({"retain"} if config.retention == "kl" else ()))


def with_retention(
    forget_loss: torch.Tensor,
    terms: dict[str, torch.Tensor],
    config: RetentionConfig,
    model: torch.nn.Module,
    batch: PairedBatch,
    reference: ReferenceModel,
    *,
    kept: torch.Tensor | None = None,
) -> LossOutput:
    """Add `+R` to a method's loss, as its config asks.

    Args:
        forget_loss: What makes the model forget.
        terms: The parts of the loss so far.
        config: Of the method.
        model: The model.
        batch: The batches of this step.
        reference: The frozen model.
        kept: What of the method's own holds the rest, weighted.
    """
    if config.lambda_r == 0:
        return LossOutput(forget_loss, terms, kept)
    side = batch.retain
    if config.retention == "ce":
        name, term = "retain_ce", answer_loss(model, side)
    else:
        frozen, output = reference.token_logprobs(side), answers(model, side)
        name, term = "retain_kl", losses.kl(frozen, output.logits, output.labels, tokens=side.tokens)
    retention = config.lambda_r * term
    return LossOutput(forget_loss, {**terms, name: term}, retention if kept is None else kept + retention)
