"""MANU: cut off the MLP neurons that answer to the pictures to be forgotten more than to those that must stay.

No training. For a neuron and a set of records, with pictures (`m`) and without (`t`), per token: `Z` mean absolute
activation, `N` how often it is above a threshold, `V` variance, `E` mean square. Its importance for the set is

`|Zm-Zt|/(Zm+Zt) + |Nm-Nt|/(Nm+Nt) + sqrt(Vm+Vt) + sqrt(|Em-Et|/(Em+Et))`

and its rank the importance for `F` over that for `R`. The first `share` of each tower lose their outgoing weights.

Paper: Liu et al., MANU. Built from a summary of the paper, and checked against the code (franciscoliu/MANU).
Deviations: the code has other scores, no contrast of `m` and `t`, and zeroes incoming weights: see the page. Without
pictures means the same questions with their picture left out. A step zeroes one more `share`, of one ranking.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from offside_data.errors import UsageError
from offside_data.vlm import forward
from offside_unlearn.layers import Tower, layers_of, mlp_of
from offside_unlearn.methods import (
    COMPARISON,
    BatchPlan,
    EditingMethod,
    MethodConfig,
    Needs,
    Paper,
    SearchChoices,
    Side,
    Space,
)

PAPER = Paper(
    "Modality-Aware Neuron Pruning for Unlearning in Multimodal Large Language Models",
    "https://arxiv.org/abs/2502.15910",
)
EPSILON = 1e-5
"""Added to denominators, as in the code."""
TOWERS: tuple[Tower, ...] = ("language", "vision")

Outgoing = dict[Tower, dict[str, torch.nn.Linear]]
"""By tower, the linear layers that lead out of its MLP neurons, by name."""


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """How many neurons are cut off, and when one counts as active.

    Args:
        share: Of the neurons of each tower, cut off in each step. source: code (0.02).
        active: An activation above it, either way, counts as one. source: code (0.1).
    """

    search: ClassVar[Space] = {
        "share": SearchChoices((0.02, 0.05, 0.1), COMPARISON),
    }

    share: float = 0.02
    active: float = 0.1

    def __post_init__(self) -> None:
        """Refuse shares of nothing and of more than all."""
        if not 0 < self.share <= 1:
            raise ValueError(f"share is above 0 and at most 1, got {self.share}")
        if self.active < 0:
            raise ValueError(f"active must not be negative, got {self.active}")


class Method(EditingMethod[Config]):
    """The neurons ranked once, and one more share of them cut off in each step."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ranks: dict[Tower, list[tuple[str, int, float]]] = {}

    def needs(self) -> Needs:
        """Both sets, with their pictures and without."""
        return Needs(retain=True, blind=True)

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Rank the neurons whose outgoing weights may be changed.

        Raises:
            UsageError: If the records have no picture, no such neuron is there, or more than all would be cut off.
        """
        if not any(example.image_key for example in plan.sources["forget"].examples):
            raise UsageError("manu looks at records with and without their pictures; those to be forgotten have none.")
        if plan.steps * self.config.share > 1 + 1e-9:
            raise UsageError(f"manu: {plan.steps} steps of share={self.config.share} are more than all neurons.")
        outgoing = {tower: found for tower in TOWERS if (found := _outgoing(model, tower))}
        if not outgoing:
            raise UsageError("manu: --tune leaves out the MLPs of both towers, so there is no neuron to cut off.")
        forget, retain = (self._importance(model, plan, side, outgoing) for side in ("forget", "retain"))
        for tower, found in outgoing.items():
            self._ranks[tower] = _ranked({name: forget[name] / (retain[name] + EPSILON) for name in found})

    def edit(self, model: torch.nn.Module, step: int) -> dict[str, float]:
        """Zero the outgoing weights of the first `step` shares of each tower."""
        said: dict[str, float] = {}
        for tower, ranks in self._ranks.items():
            count = min(len(ranks), math.ceil(self.config.share * step * len(ranks) - 1e-9))
            outgoing = _outgoing(model, tower)
            with torch.no_grad():
                for name, neuron, _ in ranks[:count]:
                    outgoing[name].weight[:, neuron] = 0
            said |= {f"{tower}_neurons": count, f"{tower}_least_ratio": ranks[count - 1][2]}
        return said

    def _importance(
        self, model: torch.nn.Module, plan: BatchPlan, side: str, outgoing: Outgoing
    ) -> dict[str, torch.Tensor]:
        """Of each neuron for a set of records, by the name of the layer that its outgoing weights stand in."""
        size = plan.sources[side].batch_size
        shown, blind = (self._activity(model, plan.once(name, size), outgoing) for name in (side, f"{side}_blind"))
        return {name: _contrast(shown[name], blind[name]) for name in shown}

    def _activity(self, model: torch.nn.Module, batches: Iterator[Side], outgoing: Outgoing) -> dict[str, _Activity]:
        """What the neurons do on all tokens, or patches, of these batches; padding doesn't count."""
        active, device = self.config.active, next(model.parameters()).device
        sums = {n: _Activity(linear.in_features, active) for found in outgoing.values() for n, linear in found.items()}
        for batch in batches:
            inputs = batch.to(device).inputs
            real: dict[Tower, torch.Tensor | None] = {"language": inputs["attention_mask"].bool(), "vision": None}
            with contextlib.ExitStack() as stack, torch.no_grad():
                for tower, found in outgoing.items():
                    for name, linear in found.items():
                        handle = linear.register_forward_pre_hook(sums[name].hook(real[tower]))
                        stack.callback(handle.remove)
                forward(model, inputs, keep="answer")
        return sums


class _Activity:
    """Sums over what a layer's neurons do, in float64 on the CPU."""

    def __init__(self, neurons: int, active: float) -> None:
        self._active = active
        self._count = 0
        self._sums = torch.zeros(4, neurons, dtype=torch.float64)

    def hook(self, real: torch.Tensor | None) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], None]:
        """To be called with the neurons' activations, before the outgoing weights are.

        Args:
            real: Which positions count; null for all.
        """

        def look(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            values = inputs[0].detach().float()
            rows = values.flatten(0, -2) if real is None else values[real]
            parts = (rows.abs(), (rows.abs() > self._active).float(), rows, rows.square())
            self._sums += torch.stack([part.sum(dim=0).double().cpu() for part in parts])
            self._count += len(rows)

        return look

    def means(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """`Z`, `N`, `V` and `E`; 0 where the tower wasn't run, as the vision tower isn't without a picture."""
        size, often, mean, square = self._sums / max(1, self._count)
        return size, often, (square - mean.square()).clamp(min=0), square


def _contrast(with_pictures: _Activity, without: _Activity) -> torch.Tensor:
    """Sum of the four scores of each neuron."""
    (zm, nm, vm, em), (zt, nt, vt, et) = with_pictures.means(), without.means()
    size, often, square = (
        (one - other).abs() / (one + other + EPSILON) for one, other in ((zm, zt), (nm, nt), (em, et))
    )
    return size + often + (vm + vt).sqrt() + square.sqrt()


def _outgoing(model: torch.nn.Module, tower: Tower) -> dict[str, torch.nn.Linear]:
    """The linear layers that lead out of a tower's MLP neurons, of those that may be changed."""
    found = {}
    for name, layer in layers_of(model, tower).items():
        *_, (last, linear) = mlp_of(layer).items()
        # With an adapter on it it would be another module; --full has merged that.
        if isinstance(linear, torch.nn.Linear) and linear.weight.requires_grad:
            found[f"{name}.mlp.{last}"] = linear
    return found


def _ranked(ratios: dict[str, torch.Tensor]) -> list[tuple[str, int, float]]:
    """All neurons as layer, number and ratio, the highest ratio first; equal ones in the model's order."""
    every = [(name, number, ratio) for name, values in ratios.items() for number, ratio in enumerate(values.tolist())]
    return sorted(every, key=lambda neuron: -neuron[2])
