"""MIP-Editor: block the paths of neurons that the answers hang on, and train these neurons alone to lead elsewhere.

Before the first step a path of MLP neurons, one a layer, is found through each tower: through the language model by
gradients of the answers' probability, integrated from no activation to the model's own, through the vision tower by
squared gradients of their log-probability (a Fisher information); `_paths` has the formula. These neurons' activations
are set to 0 by what leads into them, and of all weights only those then learn

`mean_F |h_l - lambda |h0_l| u|^2 + gamma mean_R |h_l - h0_l|^2`

over the positions that predict answer tokens, `h_l` the hidden state after layer `l` of the language model, `h0_l` the
frozen model's, `u` a random direction; `|.|^2` is a mean over the state's width.

Paper: Li et al., MIP-Editor. Built from a summary of the paper, and checked against the code (PreckLi/MIP-Editor).
Deviations, all of which are on the page: one path through each tower for the whole forget set, not one a record;
activations at all tokens and patches, not the first alone; the paper's probabilities and squares, where the code has
the mean loss and squared z-scores; neurons are blocked once, and free to move afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from offside_data.seeding import rng
from offside_data.vlm import Batch, Encoded, base_model_of
from offside_unlearn.layers import Tower, layers_of, mlp_of
from offside_unlearn.methods import (
    COMPARISON,
    BatchPlan,
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    SearchChoices,
    Space,
    UnlearningMethod,
    losses,
)
from offside_unlearn.methods._paths import NONE, PathSearch
from offside_unlearn.methods._states import answer_states, layer_at

PAPER = Paper(
    "Cross-Modal Unlearning via Influential Neuron Path Editing in Multimodal Large Language Models",
    "https://arxiv.org/abs/2511.06793",
)
TOWERS: tuple[Tower, ...] = ("language", "vision")


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """How paths are found, and where the states are led.

    Args:
        top_k: Neurons of each layer that are blocked and trained: the path's own, and the next best. source: code (5).
        points: Steps of the integral along a path. source: code (4).
        depth: Which layer `l` is, as a share of all. source: code (layer 7 of 36).
        steering_coeff: `lambda`, the length of the vector that the states are pushed to, in lengths of the frozen
            state. source: ours (1; the code has a length of 10 for all states).
        gamma: Weight of the distance to the frozen states on the retain batch. source: code (both terms count alike).
    """

    search: ClassVar[Space] = {
        "lr": SearchChoices((1e-4, 5e-4, 1e-3), COMPARISON),
        "top_k": SearchChoices((3, 5, 10), COMPARISON),
        "steering_coeff": SearchChoices((0.5, 1.0, 2.0), COMPARISON),
    }

    top_k: int = 5
    points: int = 4
    depth: float = 0.2
    steering_coeff: float = 1.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        """Refuse paths of nothing, a layer that isn't there, and weights that would train the other way."""
        for name in ("top_k", "points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.depth <= 1:
            raise ValueError(f"depth is a share of the layers, from 0 to 1, got {self.depth}")
        for name in ("steering_coeff", "gamma"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


class Method(UnlearningMethod[Config]):
    """Random states on the forget batch, the frozen model's on the retain batch, by the neurons of the paths alone."""

    needs_full: ClassVar[bool] = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._rows: dict[str, torch.Tensor] = {}
        """The rows of each trained weight that belong to neurons of a path."""

    def needs(self) -> Needs:
        """Both batches, and the frozen model."""
        return Needs(retain=self.config.gamma > 0, frozen_model=True)

    def trains(self, model: torch.nn.Module) -> str:
        """What leads into the MLPs' neurons, in the vision tower and in the language model up to layer `l`."""
        language, vision = (_incoming(model, tower) for tower in TOWERS)
        reached = [*language[: layer_at(self.config.depth, len(language)) + 1], *vision]
        return "|".join(re.escape(name) for names in reached for name in names)

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Draw the direction, find the paths if no checkpoint has them, and block them.

        Raises:
            UsageError: If there is no path.
        """
        if "direction" not in self.state:
            width = base_model_of(model).config.get_text_config().hidden_size
            generator = torch.Generator().manual_seed(rng(seed, "mip_editor", "direction").getrandbits(63))
            drawn = torch.randn(width, generator=generator)
            self.state["direction"] = drawn / drawn.norm()
        examples = plan.sources["forget"].examples
        size = sum(source.batch_size for source in plan.sources.values())  # What a step of training holds at once.
        plan.collator.set_epoch(0)
        for tower in TOWERS:
            parts = _parts(examples, size) if tower == "language" else _parts_by_picture(examples, size)
            if parts and tower not in self.state:
                search = PathSearch(self.config.points, self.config.top_k, squared=tower == "vision")
                self.state[tower] = search.find(model, tower, partial(_collated, plan, parts))
        self._rows = {}
        for tower in TOWERS:
            if tower in self.state:
                self._block(model, tower)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Distance to the random point and to the frozen states, of which the gradient moves the paths alone."""
        config = self.config
        layer = layer_at(config.depth, len(layers_of(model, "language")))
        side = batch.forget
        with reference.frozen():
            frozen = answer_states(model, side, layer)
        wanted = config.steering_coeff * frozen.norm(dim=-1, keepdim=True) * self.state["direction"].to(frozen.device)
        loss = losses.state_distance(answer_states(model, side, layer), wanted, tokens=side.tokens)
        terms = {"forget_misdirection": loss.detach()}
        if config.gamma > 0:
            side = batch.retain
            with reference.frozen():
                frozen = answer_states(model, side, layer)
            held = losses.state_distance(answer_states(model, side, layer), frozen, tokens=side.tokens)
            terms["retain_distance"] = held.detach()
            loss = loss + config.gamma * held
        return LossOutput(self._confined(model, loss), terms)

    def _block(self, model: torch.nn.Module, tower: Tower) -> None:
        """Set the activations of a tower's found neurons to 0, whatever goes in, and note whose weights learn.

        The last layer that leads into a neuron gives a factor of its activation, or what a function is applied to that
        is 0 at 0. So from there a gradient still comes, as it would not if all that leads in were 0.
        """
        for names, found in zip(_incoming(model, tower), self.state[tower], strict=True):
            neurons = found[found != NONE].to(next(model.parameters()).device)
            for module in names:
                for name, parameter in model.get_submodule(module).named_parameters(prefix=module):
                    if len(neurons) and parameter.requires_grad:
                        self._rows[name] = neurons
                    if module == names[-1]:
                        parameter.data[neurons] = 0

    def _confined(self, model: torch.nn.Module, loss: torch.Tensor) -> torch.Tensor:
        """The same number, of which only the found neurons' weights have a gradient.

        It is a linear function of them whose slope is their part of the gradient: so clipping sees that part alone, and
        whatever adds up micro-batches adds it up as any other.
        """
        rows = self._rows
        trained = {name: model.get_parameter(name) for name in rows}
        gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        slope = loss.new_zeros(())
        for (name, parameter), gradient in zip(trained.items(), gradients, strict=True):
            if gradient is not None:
                slope = slope + (parameter[rows[name]] * gradient[rows[name]]).sum()
        return slope - slope.detach() + loss.detach()


def _incoming(model: torch.nn.Module, tower: Tower) -> list[list[str]]:
    """The linear layers that lead into each layer's MLP neurons, by their names in the plain model."""
    return [
        [f"{name}.mlp.{part}" for part in list(mlp_of(layer))[:-1]] for name, layer in layers_of(model, tower).items()
    ]


def _parts(examples: Sequence[Encoded], size: int) -> list[Sequence[Encoded]]:
    return [examples[start : start + size] for start in range(0, len(examples), size)]


def _parts_by_picture(examples: Sequence[Encoded], size: int) -> list[Sequence[Encoded]]:
    """The records with a picture, in batches of which none shows a picture twice: there two records' gradients mix."""
    waves: list[list[Encoded]] = []
    met: dict[str, int] = {}
    for example in examples:
        if example.image_key is not None:
            wave = met[example.image_key] = met.get(example.image_key, -1) + 1
            waves += [[]] if wave == len(waves) else []
            waves[wave].append(example)
    return [part for wave in waves for part in _parts(wave, size)]


def _collated(plan: BatchPlan, parts: Iterable[Sequence[Encoded]]) -> Iterable[Batch]:
    return (plan.collator(part) for part in parts)
