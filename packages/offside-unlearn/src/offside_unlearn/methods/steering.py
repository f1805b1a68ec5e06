"""Steering: while the model answers, push its hidden states from recalling to refusing, where the prompt calls for it.

No weights are changed. `d_l = mean_F [mean_t h_l(x, refusal)_t] - mean_F [mean_t h_l(x, y)_t]`, the states of the
answers' tokens after layer `l`, refused and recorded, of the same prompts `x`. While an answer is given, `h_l <- h_l +
strength d_l` at the prompt's last token, which predicts the answer's first, and at the answer's tokens; but only if

`cos(s(x) - (mu_F + mu_R) / 2, mu_F - mu_R) > threshold`

with `s(x)` the state of the prompt's last token after the first of the steered layers, `mu` its means over the prompts
to be forgotten and to stay. The threshold is the lowest that at most `retain_share` of the latter exceed.

Paper: Ding et al., MLLMEraser. Built from a summary, not checked against the paper. Deviations: the paper perturbs
pictures and texts of its pairs adversarially, and decides how much each input is steered by a map that is zero on what
is retained; here the pairs are the records with two answers each, and a gate decides once a prompt.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from offside_data.errors import UsageError
from offside_data.progress import log
from offside_data.vlm import Batch, forward
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.interventions.steering import Steering, prompt_ends
from offside_unlearn.layers import layers_of
from offside_unlearn.methods import BatchPlan, InterveningMethod, MethodConfig, Needs, Paper

PAPER = Paper(
    "MLLMEraser: Achieving Test-Time Unlearning in Multimodal Large Language Models through Activation Steering",
    "https://arxiv.org/abs/2510.04217",
)


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """Which layers, how far, and how many retained prompts may be steered by mistake.

    Args:
        depth: Which layer is the last one that is steered, as a share of all. source: ours.
        steered_layers: How many are: that one and those below it. source: ours.
        coefficient: By how much the strength grows with each step; 1 adds the whole difference. source: ours.
        retain_share: At most so many of the prompts that stay lie beyond the gate's threshold. source: ours.
    """

    depth: float = 0.5
    steered_layers: int = 1
    coefficient: float = 1.0
    retain_share: float = 0.05

    def __post_init__(self) -> None:
        """Refuse layers that aren't there, steering back, and shares of more than all."""
        if not 0 <= self.depth <= 1:
            raise ValueError(f"depth is a share of the layers, from 0 to 1, got {self.depth}")
        if self.steered_layers < 1:
            raise ValueError(f"steered_layers must be at least 1, got {self.steered_layers}")
        if not 0 < self.coefficient < math.inf:
            raise ValueError(f"coefficient is above 0, got {self.coefficient}")
        if not 0 <= self.retain_share <= 1:
            raise ValueError(f"retain_share is a share from 0 to 1, got {self.retain_share}")


class Method(InterveningMethod[Config]):
    """The directions and the gate, found once; each step follows them by one coefficient more."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._weakest: Steering | None = None
        self._said: dict[str, float] = {}

    def needs(self) -> Needs:
        """The records to be forgotten, with their answers and with refusals, and those that stay."""
        return Needs(retain=True, refusal=True)

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Find the directions and the gate.

        Raises:
            UsageError: If the model's layers can't be told apart, or prompts to be forgotten look like the others.
        """
        names = list(layers_of(model, "language"))
        last = min(len(names) - 1, round(self.config.depth * len(names)))
        chosen = names[max(0, last + 1 - self.config.steered_layers) : last + 1]
        recalling, forget = _read(model, plan, "forget", chosen)
        refusing, _ = _read(model, plan, "refusal", chosen)
        _, retain = _read(model, plan, "retain", chosen[:1])
        centre, other = forget.mean(0), retain.mean(0)
        directions = {name: (refusing[name] - recalling[name]).float() for name in chosen}
        steering = Steering(
            directions, self.config.coefficient, ((centre + other) / 2).float(), (centre - other).float(), 1.0
        )
        likeness = {side: steering.likeness(states.float()) for side, states in (("f", forget), ("r", retain))}
        steering.threshold = lowest_threshold(likeness["f"], likeness["r"], self.config.retain_share)
        caught = {side: float((found > steering.threshold).float().mean()) for side, found in likeness.items()}
        if not caught["f"]:
            raise UsageError(
                "steering: no prompt to be forgotten is told from those that stay, so none would be steered. Choose "
                f"another depth, or allow more than retain_share={self.config.retain_share}."
            )
        self._weakest = steering
        lengths = {f"length_{place}": float(d.norm()) for place, d in enumerate(directions.values())}
        self._said = {"forget_steered": caught["f"], "retain_steered": caught["r"], **lengths}
        log(f"steered: {caught['f']:.2f} of the prompts to be forgotten, {caught['r']:.2f} of those that stay")

    def intervention(self, step: int) -> tuple[Steering, dict[str, float]]:
        """The directions, followed `step` times as far as by one step.

        Raises:
            UsageError: If that leads beyond all finite states.
        """
        found = self._weakest
        assert found is not None  # `begin` comes first.
        strength = step * self.config.coefficient
        if not all(bool(torch.isfinite(strength * direction).all()) for direction in found.directions.values()):
            raise UsageError(
                f"steering: {strength:g} times the directions isn't finite. Take a smaller coefficient than "
                f"{self.config.coefficient:g}."
            )
        made = Steering(found.directions, strength, found.origin, found.axis, found.threshold)
        return made, {"strength": strength, **self._said}


def lowest_threshold(forget: torch.Tensor, retain: torch.Tensor, share: float) -> float:
    """The lowest threshold that at most a share of the retained prompts exceed.

    It lies halfway between two prompts' likenesses, so that rounding moves none of them to the other side.

    Args:
        forget: Likenesses of the prompts to be forgotten.
        retain: The same of those that stay.
        share: Of the latter, beyond the threshold at most.
    """
    ranked = retain.double().sort(descending=True).values
    allowed = math.floor(share * len(ranked) + 1e-9)
    if allowed >= len(ranked):
        return -2.0  # No cosine is lower.
    below = float(ranked[allowed])
    above = torch.cat([forget.double(), ranked])
    above = above[above > below]
    return (below + float(above.min())) / 2 if len(above) else below


def _read(
    model: torch.nn.Module, plan: BatchPlan, side: str, names: list[str]
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Hidden states of a side's records, in float64 on the CPU.

    Returns:
        By layer the mean state of the answers' tokens, each record counting alike, shape (width,); and the states at
        the last token of each prompt after the first of the layers, shape (records, width).
    """
    means: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    prompts: list[torch.Tensor] = []
    device = next(model.parameters()).device
    for batch in plan.once(side, plan.sources[side].batch_size):
        inputs = batch.to(device).inputs
        with torch.no_grad(), _caught(model, names) as states:
            forward(model, inputs, keep="answer")
        for name in names:
            means[name] += _of_answers(states[name], inputs)
        rows = torch.arange(len(inputs["labels"]), device=device)
        prompts.append(states[names[0]][rows, prompt_ends(inputs)].double().cpu())
    return {name: torch.stack(found).mean(0) for name, found in means.items()}, torch.cat(prompts)


def _of_answers(states: torch.Tensor, inputs: Batch) -> list[torch.Tensor]:
    """Of each record the mean state of its answer's tokens."""
    there = inputs["labels"] != IGNORED
    return [row[mask].double().mean(0).cpu() for row, mask in zip(states, there, strict=True)]


@contextlib.contextmanager
def _caught(model: torch.nn.Module, names: list[str]) -> Iterator[Mapping[str, torch.Tensor]]:
    """What these layers put out while the block runs."""
    layers, found = layers_of(model, "language"), dict[str, torch.Tensor]()

    def catch(name: str) -> Callable[..., None]:
        def keep(module: torch.nn.Module, inputs: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
            found[name] = output if isinstance(output, torch.Tensor) else output[0]

        return keep

    with contextlib.ExitStack() as stack:
        for name in names:
            stack.callback(layers[name].register_forward_hook(catch(name)).remove)
        yield found
