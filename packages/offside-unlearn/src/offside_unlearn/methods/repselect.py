"""RepSelect: a gradient of the model as an attacker would have it, its strongest directions collapsed, in doses.

No training of what is saved. (1) Elicit: a low-rank adapter on the language model's MLPs learns the forget set for one
pass. (2) With it in place the gradient `G` of `-CE_F` by each MLP weight is taken, and the adapter dropped. (3) Of the
first singular directions of `G = U diag(s) V^T`, `k` of them, what exceeds the weakest is collapsed, on both sides:

`G <- G - G V (I - diag(s_k/s)) V^T`, then `G <- G - U (I - diag(s_k/s)) U^T G`

(4) Each step is `W <- W - step_size G`, as long as the mean `KL(p0 || p)` on what must stay is within `kl_budget`.

Paper: Sondej et al., RepSelect. Checked against the code (the authors' `RepSelect`, its one-gradient variant, their
main one), not against the paper. Deviations: the code's `G` is a sum of batches' means, here it is the mean over all
answer tokens; its `k` is 512 of 4,096, here a share of each weight's smaller side; it finds the directions by a random
approximation, here exactly; its budget is on encyclopaedia articles, here on the answers of what must stay.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from offside_data.errors import UsageError
from offside_data.progress import log
from offside_data.seeding import draw_records, rng
from offside_unlearn.layers import layers_of, mlp_of
from offside_unlearn.methods import (
    BatchPlan,
    EditingMethod,
    MethodConfig,
    Needs,
    Paper,
    SearchRange,
    Side,
    Space,
    answer_loss,
    answers,
    losses,
)

PAPER = Paper("RepSelect: Robust LLM Unlearning via Representation Selectivity", "https://arxiv.org/abs/2606.17168")

Tensors = dict[str, torch.Tensor]
Adapter = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""By layer, `A` (rank, inputs) and `B` (outputs, rank)."""


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """How the forget set is elicited, what is collapsed, and how far the steps may go.

    Args:
        step_size: What the collapsed gradient is multiplied by in each step. source: code (0.05, searched over 0.005 to
            0.5, of a sum over batches).
        elicit_rate: Learning rate of the adapter; 0 leaves it out. source: code (0.01, searched over 0.005 to 0.5).
        elicit_rank: Rank of the adapter. source: code (8).
        components: Share of a weight's singular directions that are collapsed. source: code (512 of 4,096).
        collapse: On which side: `inputs`, `outputs`, `both` or `none`. source: code (both).
        kl_budget: How far the mean `KL(p0 || p)` on the answers of what must stay may go. source: code (0.01, on other
            texts).
        kl_records: How many records that must stay the budget is measured on, drawn by seed. source: code (128 texts).
        top_k: How many of the frozen model's likeliest tokens are kept for that; the rest counts as one. source: ours.
    """

    search: ClassVar[Space] = {
        "step_size": SearchRange(0.005, 0.5, "code"),
        "elicit_rate": SearchRange(0.005, 0.5, "code"),
    }

    step_size: float = 0.05
    elicit_rate: float = 0.01
    elicit_rank: int = 8
    components: float = 0.125
    collapse: Literal["both", "inputs", "outputs", "none"] = "both"
    kl_budget: float = 0.01
    kl_records: int = 128
    top_k: int = 128

    def __post_init__(self) -> None:
        """Refuse steps that would teach the answers, and numbers that mean nothing."""
        for name in ("step_size", "kl_budget"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.elicit_rate < 0:
            raise ValueError(f"elicit_rate must not be negative, got {self.elicit_rate}")
        for name in ("elicit_rank", "kl_records", "top_k"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.components <= 1:
            raise ValueError(f"components is a share above 0 and at most 1, got {self.components}")


class Method(EditingMethod[Config]):
    """The gradient found once, and followed for a step at a time while the budget lasts."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._start: Tensors = {}
        self._gradient: Tensors = {}
        self._kept: _Kept | None = None
        self._taken = 0
        self._kl = 0.0
        self._spent = False

    def needs(self) -> Needs:
        """Both sets: what must stay for the budget."""
        return Needs(retain=True)

    def trains(self, model: torch.nn.Module) -> str:
        """The linear layers of the language model's MLPs."""
        return "|".join(map(re.escape, _mlps(model)))

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Elicit, take the gradient, collapse it, and note what the model says of what must stay.

        Raises:
            UsageError: If eliciting breaks the model, so that there is no gradient.
        """
        linears = _mlps(model)
        adapter = _elicited(model, linears, plan, self.config, seed)
        for name, gradient in _gradient_of(model, linears, plan, adapter).items():
            if not bool(torch.isfinite(gradient).all()):
                raise UsageError(
                    f"repselect: the elicited model's gradient of {name} isn't finite, so there is no direction to go. "
                    f"Take a smaller elicit_rate than {self.config.elicit_rate:g}, or --dtype float32."
                )
            self._gradient[name] = collapsed(gradient, self.config.components, self.config.collapse)
        self._start = {name: linear.weight.detach().clone() for name, linear in linears.items()}
        self._kept = _Kept.of(model, plan, self.config, seed)

    def edit(self, model: torch.nn.Module, step: int) -> dict[str, float]:
        """Take one more step, unless that costs more than the budget: then this and all later ones are left out.

        Raises:
            UsageError: If already the first one does.
        """
        assert self._kept is not None, "begin comes first"
        if not self._spent:
            self._put(model, self._taken + 1)
            kl = self._kept.divergence(model)
            if kl <= self.config.kl_budget:
                self._taken, self._kl = self._taken + 1, kl
            else:
                self._put(model, self._taken)
                self._refuse(kl)
        return {"steps_taken": self._taken, "retain_kl": self._kl}

    def _refuse(self, kl: float) -> None:
        config = self.config
        if not self._taken:
            raise UsageError(
                f"repselect: one step of step_size={config.step_size:g} brings the KL on what must stay to {kl:.4g}, "
                f"more than kl_budget={config.kl_budget:g}. Take smaller steps, and more of them (max_steps), or raise "
                "the budget."
            )
        self._spent = True
        log(f"step {self._taken + 1} isn't taken: its KL would be {kl:.4g}, more than kl_budget={config.kl_budget:g}")

    def _put(self, model: torch.nn.Module, steps: int) -> None:
        """The weights after so many steps, always from the start, so that a step that is undone leaves no trace."""
        with torch.no_grad():
            for name, linear in _mlps(model).items():
                moved = self._start[name].float() - steps * self.config.step_size * self._gradient[name]
                linear.weight.copy_(moved)


def collapsed(gradient: torch.Tensor, share: float, sides: str) -> torch.Tensor:
    """A gradient whose strongest singular directions are no stronger than the weakest of them.

    On both sides the weakest one is squared over, so that what was strongest becomes weakest.

    Args:
        gradient: (outputs, inputs).
        share: Of all its directions; those without any strength, as of few tokens, don't count.
        sides: `inputs`, `outputs`, `both` or `none`.
    """
    left, strengths, right = torch.linalg.svd(gradient, full_matrices=False)
    floor = strengths.max() * max(gradient.shape) * torch.finfo(gradient.dtype).eps
    count = min(max(1, round(share * len(strengths))), int((strengths > floor).sum()))
    if count == 0:
        return gradient
    lost = 1 - strengths[count - 1] / strengths[:count]
    if sides in ("inputs", "both"):
        towards = right[:count]
        gradient = gradient - (gradient @ towards.T * lost) @ towards
    if sides in ("outputs", "both"):
        towards = left[:, :count].T
        gradient = gradient - towards.T @ (lost[:, None] * (towards @ gradient))
    return gradient


@dataclass(frozen=True)
class _Kept:
    """Some records that must stay, and what the frozen model says of them."""

    batches: Callable[[], Iterator[Side]]
    frozen: Sequence[losses.TopLogprobs]

    @classmethod
    def of(cls, model: torch.nn.Module, plan: BatchPlan, config: Config, seed: int) -> _Kept:
        source = plan.sources["retain"]
        drawn = draw_records([example.record_id for example in source.examples], config.kl_records, seed=seed)

        def batches() -> Iterator[Side]:
            return _batches(model, plan, "retain", drawn)

        frozen = []
        with torch.no_grad():
            for side in batches():
                output = answers(model, side)
                top = losses.TopLogprobs.of(output.logits, output.labels, config.top_k)
                frozen.append(top.to(torch.device("cpu")))
        return cls(batches, frozen)

    def divergence(self, model: torch.nn.Module) -> float:
        """Mean `KL(p0 || p)` over the answer tokens; infinite where the model is broken."""
        total, tokens = 0.0, 0
        with torch.no_grad():
            for side, frozen in zip(self.batches(), self.frozen, strict=True):
                output = answers(model, side)
                total += float(losses.top_kl(frozen.to(output.logits.device), output.logits, output.labels).sum())
                tokens += len(frozen.targets)
        return total / tokens if math.isfinite(total) else math.inf


def _mlps(model: torch.nn.Module) -> dict[str, torch.nn.Linear]:
    """The linear layers of the language model's MLPs, by name."""
    parts = (
        (f"{name}.mlp.{part}", linear)
        for name, layer in layers_of(model, "language").items()
        for part, linear in mlp_of(layer).items()
    )
    return {name: linear for name, linear in parts if isinstance(linear, torch.nn.Linear)}


def _batches(model: torch.nn.Module, plan: BatchPlan, side: str, numbers: Sequence[int]) -> Iterator[Side]:
    """These records of a side, in batches of its size, on the model's device."""
    source, device = plan.sources[side], next(model.parameters()).device
    plan.collator.set_epoch(0)
    for start in range(0, len(numbers), source.batch_size):
        part = numbers[start : start + source.batch_size]
        tokens = float(sum(source.answer_tokens[number] for number in part))
        examples = [source.examples[number] for number in part]
        ids = tuple(example.record_id for example in examples)
        yield Side(plan.collator(examples), ids, tokens, float(len(part))).to(device)


def _elicited(
    model: torch.nn.Module, linears: Mapping[str, torch.nn.Linear], plan: BatchPlan, config: Config, seed: int
) -> Adapter:
    """A low-rank adapter that has learnt the forget set for one pass by gradient descent; empty without a rate."""
    if config.elicit_rate == 0:
        return {}
    adapter = {name: _fresh(linear, config.elicit_rank, seed, name) for name, linear in linears.items()}
    trained = [matrix for pair in adapter.values() for matrix in pair]
    source = plan.sources["forget"]
    with _in_place(linears, adapter):
        for side in _batches(model, plan, "forget", source.stream.take(0, source.stream.size)):
            gradients = torch.autograd.grad(answer_loss(model, side), trained)
            with torch.no_grad():
                for matrix, gradient in zip(trained, gradients, strict=True):
                    matrix.sub_(config.elicit_rate * gradient)
    return adapter


def _fresh(linear: torch.nn.Linear, rank: int, seed: int, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """`A` as peft draws it, evenly within the inverse root of the inputs, and `B = 0`: at first it does nothing."""
    generator = torch.Generator().manual_seed(rng(seed, "repselect", name).getrandbits(63))
    bound, device = 1 / math.sqrt(linear.in_features), linear.weight.device
    down = (2 * torch.rand(rank, linear.in_features, generator=generator) - 1) * bound
    up = torch.zeros(linear.out_features, rank)
    return down.to(device).requires_grad_(), up.to(device).requires_grad_()


@contextlib.contextmanager
def _in_place(linears: Mapping[str, torch.nn.Linear], adapter: Adapter) -> Iterator[None]:
    """Inside, each layer that has an adapter gives `W x + B A x`."""

    def added(
        down: torch.Tensor, up: torch.Tensor
    ) -> Callable[[Any, tuple[torch.Tensor, ...], torch.Tensor], torch.Tensor]:
        def add(module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
            return output + (inputs[0].float() @ down.T @ up.T).to(output.dtype)

        return add

    with contextlib.ExitStack() as stack:
        for name, pair in adapter.items():
            stack.callback(linears[name].register_forward_hook(added(*pair)).remove)
        yield


def _gradient_of(
    model: torch.nn.Module, linears: Mapping[str, torch.nn.Linear], plan: BatchPlan, adapter: Adapter
) -> Tensors:
    """Of `-CE` of all forget answers, with the adapter in place, by each layer's own weight."""
    weights = {name: linear.weight for name, linear in linears.items()}
    sums = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in weights.items()}
    source = plan.sources["forget"]
    tokens = sum(source.answer_tokens)
    with _in_place(linears, adapter):
        for side in _batches(model, plan, "forget", range(len(source.examples))):
            loss = -answer_loss(model, side) * (side.tokens / tokens)
            for name, gradient in zip(sums, torch.autograd.grad(loss, list(weights.values())), strict=True):
                sums[name] += gradient
    return sums
