"""Steering: a direction added to hidden states while an answer is given, where the prompt calls for it.

At the last token of the prompt, which predicts the answer's first, and at all tokens of the answer, the hidden state
`h` after a layer becomes `h + strength d`, `d` being that layer's direction. Whether it does is decided once a prompt,
by the state `s` at the prompt's last token after the first of these layers, before anything is added:
`cos(s - origin, axis) > threshold`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from offside_data import strict
from offside_data.errors import ModelError
from offside_data.strict import Strict
from offside_data.vlm.collate import Batch
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.intervention import Intervention
from offside_data.vlm.models import base_model_of
from offside_data.vlm.vision_once import told_of_batches

States = torch.Tensor | tuple[torch.Tensor, ...]
"""What a layer puts out: hidden states, or these and more."""


@dataclass(frozen=True, kw_only=True)
class _Content(Strict):
    layers: tuple[str, ...]
    strength: float
    threshold: float


class Steering(Intervention):
    """Directions, how far they are followed, and for which prompts.

    Args:
        directions: By the layer's name in the plain model, in the model's order: what is added after it, shape
        (width,). strength: How many times.
        origin: What the gate sees prompts from, shape (width,).
        axis: Where those to be forgotten lie from there, shape (width,).
        threshold: Cosine above which a prompt is steered.
    """

    kind: ClassVar[str] = "steering"

    def __init__(
        self,
        directions: Mapping[str, torch.Tensor],
        strength: float,
        origin: torch.Tensor,
        axis: torch.Tensor,
        threshold: float,
    ) -> None:
        self.directions = dict(directions)
        self.strength = strength
        self.origin, self.axis, self.threshold = origin, axis, threshold

    def likeness(self, states: torch.Tensor) -> torch.Tensor:
        """By how much prompts look like those to be forgotten.

        Args:
            states: At the last token of each prompt, after the first of the layers, shape (prompts, width).

        Returns:
            Cosines, shape (prompts,).
        """
        origin, axis = self.origin.to(states.device), self.axis.to(states.device)
        return torch.cosine_similarity(states.float() - origin, axis[None], dim=-1)

    @contextlib.contextmanager
    def attached(self, model: Any) -> Iterator[None]:
        """Steer the model inside the block.

        Raises:
            ModelError: If the model has other layers.
        """
        base, passing = base_model_of(model), _Passing(self)
        with contextlib.ExitStack() as stack:
            stack.enter_context(told_of_batches(model, passing.begin))
            for place, name in enumerate(self.directions):
                try:
                    layer = base.get_submodule(name)
                except AttributeError as error:
                    raise ModelError(f"steering: the model has no layer {name}, so this is of another one.") from error
                hook = functools.partial(passing.steer, name, is_first=place == 0)
                stack.callback(layer.register_forward_hook(hook).remove)
            yield

    def to_json(self) -> dict[str, Any]:
        """Layers, strength and threshold."""
        content = _Content(layers=tuple(self.directions), strength=self.strength, threshold=self.threshold)
        return dataclasses.asdict(content)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Directions by layer, `origin` and `axis`."""
        named = {f"direction.{name}": direction for name, direction in self.directions.items()}
        return {**named, "origin": self.origin, "axis": self.axis}


class _Passing:
    """What is on its way through a model: where its prompts end, and which of them are steered."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering
        self._last: torch.Tensor | None = None
        self._gates: torch.Tensor | None = None
        self._in_prompts = False

    def begin(self, batch: Batch) -> None:
        """New prompts come, with answers or without."""
        self._last, self._gates = prompt_ends(batch), None

    def steer(self, name: str, layer: torch.nn.Module, inputs: object, output: States, *, is_first: bool) -> States:
        """Add the direction to a layer's output."""
        states = output if isinstance(output, torch.Tensor) else output[0]
        if self._last is None:
            raise ModelError("a steered model is run by forward, generate or model_inputs of offside_data.vlm only.")
        last = self._last.to(states.device)
        if is_first:
            self._in_prompts = self._gates is None
            if self._gates is None:
                found = self._steering.likeness(states[torch.arange(len(states), device=states.device), last])
                self._gates = found > self._steering.threshold
        assert self._gates is not None  # The first layer comes before the others.
        # Several answers to each prompt stand side by side.
        gates = self._gates.repeat_interleave(len(states) // len(self._gates), 0)
        added = gates[:, None].to(states.dtype).expand(states.shape[:2])
        if self._in_prompts:
            places = torch.arange(states.shape[1], device=states.device)
            added = added * (places[None] >= last[:, None])
        direction = self._steering.directions[name].to(states.device, states.dtype)
        steered = states + added[..., None] * (self._steering.strength * direction)
        return steered if isinstance(output, torch.Tensor) else (steered, *output[1:])


def prompt_ends(batch: Batch) -> torch.Tensor:
    """Where the last token of each row's prompt is, shape (rows,): before its answer, or before padding."""
    labels, mask = batch["labels"], batch["attention_mask"]
    answers = labels != IGNORED
    places = torch.arange(labels.shape[1], device=labels.device)
    whole = torch.where(mask.bool(), places, -1).amax(1)
    return torch.where(answers.any(1), answers.int().argmax(1) - 1, whole)


def read(content: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Steering:
    """Make a steering of what `to_json` and `tensors` gave.

    Raises:
        ModelError: If they don't fit.
        KeyError: If a tensor is missing.
    """
    told = strict.read(_Content, content, "steering", ModelError, remedy="Make the run again.")
    directions = {name: tensors[f"direction.{name}"] for name in told.layers}
    return Steering(directions, told.strength, tensors["origin"], tensors["axis"], told.threshold)
