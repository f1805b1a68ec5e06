"""Paths of MLP neurons through a tower, one a layer, that an answer hangs on most: gradients integrated along them.

Of a path the activations `w_1 .. w_n` (what goes into the last linear layer of each MLP) are moved together from 0 to
where the model has them, in `m` steps. Its score is

`(w_1 + .. + w_n) * 1/m sum_{k=1..m} sum_l dF/dw_l` at `k/m w`,

`F` being the probability of the answer; or with `(dG/dw_l)^2`, `G` being its log-probability (a Fisher information).
It is summed over a record's tokens, or patches, and over records. Layer by layer the neuron is found that continues the
path best: while a layer is asked, all of its neurons are moved, of those below only the path's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from offside_data.errors import UsageError
from offside_data.vlm import Batch, forward
from offside_unlearn import losses
from offside_unlearn.layers import Tower, layers_of, mlp_of

NONE = -1
"""In place of a neuron: the answers don't depend on this layer."""

Batches = Callable[[], Iterable[Batch]]
Hook = Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class PathSearch:
    """How paths are looked for.

    Args:
        points: Steps of the integral, `m`.
        top_k: Neurons of each layer: the one that continues the path, and the next best.
        squared: Squared gradients of the answers' log-probability in place of gradients of their probability.
    """

    points: int
    top_k: int
    squared: bool

    def find(self, model: torch.nn.Module, tower: Tower, batches: Batches) -> torch.Tensor:
        """The neurons of each layer that continue the path best, the best one first: (layers, top_k).

        Args:
            model: In eval mode; left as it is.
            tower: Whose MLPs are searched.
            batches: The records. With squared gradients no two of a batch may show one picture.

        Raises:
            RecordError: If a record has no answer token.
            UsageError: If there are fewer neurons than asked for, or the answers depend on none.
        """
        outgoing = [list(mlp_of(layer).values())[-1] for layer in layers_of(model, tower).values()]
        walk, found = Walk(outgoing), []
        while walk.layer < len(outgoing):
            scores = self.scores(model, walk, batches())
            if scores is not None and len(scores) < self.top_k:
                raise UsageError(
                    f"top_k={self.top_k}: layer {walk.layer} of the {tower} tower has {len(scores)} neurons. "
                    "Take fewer."
                )
            best = torch.full((self.top_k,), NONE) if scores is None else scores.topk(self.top_k).indices
            found.append(best)
            walk.path.append(int(best[0]))
        if all(neuron == NONE for neuron in walk.path):
            raise UsageError(
                f"no neuron of the {tower} tower has any influence on the answers to be forgotten: their probability "
                "is 0, so there is nothing to find a path to. Is this the model that learnt them?"
            )
        return torch.stack(found)

    def scores(self, model: torch.nn.Module, walk: Walk, batches: Iterable[Batch]) -> torch.Tensor | None:
        """What the path scores with each neuron of its next layer, summed over records: (neurons) in float64.

        Null if the answers don't depend on these neurons.

        Raises:
            RecordError: If a record has no answer token.
        """
        device = next(model.parameters()).device
        total: torch.Tensor | None = None
        for batch in batches:
            scores = self._of_batch(model, walk, batch.to(device))
            if scores is not None:
                total = scores if total is None else total + scores
        return total if total is not None and bool(total.any()) else None

    def _of_batch(self, model: torch.nn.Module, walk: Walk, batch: Batch) -> torch.Tensor | None:
        total: torch.Tensor | None = None
        walk.seen.clear()
        for step in range(self.points, 0, -1):  # The last point first: there the activations are the model's own.
            with walk.scaled(step / self.points) as leaves:
                output = forward(model, batch, keep="answer")
            likely = losses.record_logprobs(output.logits, output.labels)
            gradients = torch.autograd.grad(likely.sum(), list(leaves.values()), allow_unused=True)
            slopes = {at: slope.float() for at, slope in zip(leaves, gradients, strict=True) if slope is not None}
            if walk.layer not in slopes:
                return None
            if self.squared:
                scores = _sum(walk.seen) * _sum({at: slope.square() for at, slope in slopes.items()})
                scores = scores.flatten(0, -2).sum(dim=0, dtype=torch.float64)
            else:
                # dp = p dlog p, and only the latter in the model's own precision: a long answer's p is nearly 0.
                scores = (_sum(walk.seen) * _sum(slopes)).sum(dim=1, dtype=torch.float64)
                scores = likely.detach().double().exp() @ scores
            total = scores if total is None else total + scores
        return None if total is None else (total / self.points).cpu()


def _sum(by_layer: dict[int, torch.Tensor]) -> torch.Tensor:
    """Values of the path's neurons, (..., 1), added to those of a whole layer, (..., neurons)."""
    first, *rest = (values.float() for values in by_layer.values())
    return sum(rest, first)


@dataclass
class Walk:
    """A path that has come to some layer.

    Args:
        outgoing: The linear layer that leads out of each layer's neurons.
        path: The neuron of each layer below.
        seen: The model's own activations, of the path's neurons and of the whole layer that is asked.
    """

    outgoing: Sequence[torch.nn.Module]
    path: list[int] = field(default_factory=list)
    seen: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def layer(self) -> int:
        """The one that is asked."""
        return len(self.path)

    @contextlib.contextmanager
    def scaled(self, share: float) -> Iterator[dict[int, torch.Tensor]]:
        """Inside, a forward pass finds a share of the activations in place of the model's own.

        Yields:
            The activations put there, by layer, to take gradients of; filled by the pass.
        """
        leaves: dict[int, torch.Tensor] = {}
        with contextlib.ExitStack() as stack:
            for layer, neuron in enumerate([*self.path, None]):
                if neuron != NONE:
                    handle = self.outgoing[layer].register_forward_pre_hook(self._hook(layer, neuron, share, leaves))
                    stack.callback(handle.remove)
            yield leaves

    def _hook(self, layer: int, neuron: int | None, share: float, leaves: dict[int, torch.Tensor]) -> Hook:
        def put(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            values = inputs[0]
            chosen = values if neuron is None else values[..., neuron : neuron + 1]
            own = self.seen.setdefault(layer, chosen.detach())
            leaf = (share * own).requires_grad_()
            leaves[layer] = leaf
            if neuron is None:
                return (leaf,)
            return (torch.cat([values[..., :neuron], leaf, values[..., neuron + 1 :]], dim=-1),)

        return put
