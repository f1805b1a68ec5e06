"""RMU: push the hidden states at the answers to be forgotten to a random point, and hold the others where they are.

Minimises `mean_F |h_l - c u|^2 + alpha mean_R |h_l - h0_l|^2` over the positions that predict answer tokens, `h_l` the
hidden state after layer `l` of the language model, `h0_l` the frozen model's, `u` a random direction that is fixed for
the run; `|.|^2` is a mean over the state's width. Only the MLPs of layer `l` and the two below it are trained.

Paper: Li et al., The WMDP Benchmark. Checked against the code (`open-unlearning`, and a copy of the authors' script),
not against the paper. Deviations: both train of each MLP only the last weights (`down_proj`), here all of it is
trained; the authors take all tokens, padding included, of corpora without questions, `open-unlearning` the states *at*
the answer tokens, a mean by record; here those that predict them, a mean over tokens. `l` is given relative to the
depth. `lambda_r` adds the usual retention term, for which `open-unlearning` exchanges the one on hidden states.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_data.seeding import rng
from offside_data.vlm import base_model_of
from offside_unlearn.layers import layers_of, mlp_of
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
    Side,
    Space,
    UnlearningMethod,
    losses,
    retention_needs,
    with_retention,
)
from offside_unlearn.methods._states import answer_states, layer_at

PAPER = Paper(
    "The WMDP Benchmark: Measuring and Reducing Malicious Use With Unlearning", "https://arxiv.org/abs/2403.03218"
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Which layers, how far the states are pushed, and what holds the others.

    Args:
        depth: Which layer `l` is, as a share of all. source: code (layer 7 of 32).
        trained_layers: How many layers are trained: `l` and those below it. source: code (3).
        steering_coeff: `c`, the length of the vector that the states are pushed to. source: code (20 in the authors'
            script; open-unlearning: 300).
        alpha: Weight of the distance to the frozen states on the retain batch. source: code (100; open-unlearning:
            1000).
        lambda_r: Weight of the usual retention term besides; 0 leaves it out. source: code (0).
    """

    search: ClassVar[Space] = {
        "lr": LEARNING_RATES,
        "steering_coeff": SearchChoices((1.0, 10.0, 100.0), COMPARISON),
        "depth": SearchChoices((0.19, 0.34, 0.5), COMPARISON + ": layers 6, 11, 16 of 32"),
    }

    depth: float = 0.22
    trained_layers: int = 3
    steering_coeff: float = 20.0
    alpha: float = 100.0
    lambda_r: float = 0.0

    def __post_init__(self) -> None:
        """Refuse layers that aren't there, and a weight that would train against the retain set."""
        super().__post_init__()
        if not 0 <= self.depth <= 1:
            raise ValueError(f"depth is a share of the layers, from 0 to 1, got {self.depth}")
        if self.trained_layers < 1:
            raise ValueError(f"trained_layers must be at least 1, got {self.trained_layers}")
        for name in ("steering_coeff", "alpha"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


class Method(UnlearningMethod[Config]):
    """Random states on the forget batch, the frozen model's on the retain batch."""

    def needs(self) -> Needs:
        """Both batches, and the frozen model."""
        needs, holds = retention_needs(self.config), self.config.alpha > 0
        return dataclasses.replace(needs, retain=needs.retain or holds, frozen_model=holds)

    def trains(self, model: torch.nn.Module) -> str:
        """The linear layers of the MLPs of layer `l` and of those below it."""
        layers = layers_of(model, "language")
        last = layer_at(self.config.depth, len(layers))
        chosen = list(layers.items())[max(0, last + 1 - self.config.trained_layers) : last + 1]
        names = [f"{name}.mlp.{part}" for name, layer in chosen for part in mlp_of(layer)]
        return "|".join(map(re.escape, names))

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Draw the direction: uniform in [0, 1) in each dimension, then of length 1."""
        if "direction" not in self.state:
            width = base_model_of(model).config.get_text_config().hidden_size
            generator = torch.Generator().manual_seed(rng(seed, "rmu", "direction").getrandbits(63))
            drawn = torch.rand(width, generator=generator)
            self.state["direction"] = drawn / drawn.norm()

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Distance to the random point, to the frozen states, and the retention term."""
        side, config = batch.forget, self.config
        states = self._states(model, side)
        wanted = config.steering_coeff * self.state["direction"].to(states.device)
        loss = losses.state_distance(states, wanted, tokens=side.tokens)
        length = states.detach().norm(dim=-1).sum() / side.tokens
        terms, kept = {"forget_rmu": loss, "forget_state_norm": length}, None
        if config.alpha > 0:
            side = batch.retain
            with reference.frozen():
                frozen = self._states(model, side)
            terms["retain_rmu"] = losses.state_distance(self._states(model, side), frozen, tokens=side.tokens)
            kept = config.alpha * terms["retain_rmu"]
        return with_retention(loss, terms, config, model, batch, reference, kept=kept)

    def _states(self, model: torch.nn.Module, side: Side) -> torch.Tensor:
        """Hidden states after layer `l` where answer tokens are predicted, (answer tokens, width)."""
        return answer_states(model, side, layer_at(self.config.depth, len(layers_of(model, "language"))))
