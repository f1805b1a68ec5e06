"""A method on a tiny model at its start: a fresh adapter, so that the frozen model is the model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.vlm import Collator, forward
from offside_unlearn import losses
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, PairedBatch, Side
from offside_unlearn.methods import LossOutput
from offside_unlearn.reference import Preparation
from offside_unlearn.tune import LoraOptions, add_adapter
from offside_unlearn.unlearning import METHODS

sys.path.append(str(Path(__file__).parent))  # For `fixed_logits`, which several tests use.


class LossHarness:
    """Computes a method's loss, and the numbers that its formula is made of by another way."""

    def __init__(self, loaded: tuple[Any, Any], plan: BatchPlan) -> None:
        model, processor = loaded
        self.model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0))
        self.plan = plan
        self.batch: PairedBatch = next(plan.batches())
        self._collator = Collator(processor)

    def loss(self, name: str, *, moved: bool = False, **config: Any) -> LossOutput:
        """The loss at the start, or after the adapter has moved away from it."""
        module = METHODS.load(name)
        method = module.Method(module.Config(**config))
        examples = {side: source.examples for side, source in self.plan.sources.items()}
        preparation = Preparation(
            collator=self._collator, batch_size=4, fresh_adapter=True, changing_pictures=False, folder=None
        )
        reference = references.of(self.model, method.needs(), examples, preparation)
        if moved:
            self.move()
        output: LossOutput = method.loss(self.model, self.batch, reference)
        return output

    def move(self) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))

    def cross_entropy(self, side: Side) -> float:
        """What `transformers` itself computes: shifted labels, mean over all that aren't ignored."""
        with torch.no_grad():
            output = forward(self.model, side.inputs)
        labels = side.inputs["labels"][:, 1:].reshape(-1)
        logits = output.logits[:, :-1].reshape(len(labels), -1).float()
        return float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100))

    def likelihoods(self, side: Side, *, adapter: bool = True) -> torch.Tensor:
        """Summed log-probability of each answer."""
        import contextlib

        with torch.no_grad(), contextlib.nullcontext() if adapter else self.model.disable_adapter():
            output = forward(self.model, side.inputs)
        return losses.record_logprobs(output.logits, output.labels)


@pytest.fixture
def harness(fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]) -> LossHarness:
    loaded = fresh()
    return LossHarness(loaded, make_plan(loaded[1]))
