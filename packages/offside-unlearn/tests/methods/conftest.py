"""A method on given logits, or on a tiny model at its start: a fresh adapter, so that the frozen model is the model."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.vlm import Batch, Collator, Output, forward
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, PairedBatch, Side
from offside_unlearn.methods import LossOutput
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.tune import LoraOptions, add_adapter
from offside_unlearn.unlearning import METHODS

sys.path.append(str(Path(__file__).parent))  # For `fixed_logits` and `method_case`, which several tests use.


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

    def token_logprobs(self, side: Side, *, adapter: bool = True) -> list[list[float]]:
        """Log-probability of each answer token, record by record."""
        with torch.no_grad(), contextlib.nullcontext() if adapter else self.model.disable_adapter():
            output = forward(self.model, side.inputs)
        return by_hand(output.logits, side.inputs["labels"])

    def likelihoods(self, side: Side, *, adapter: bool = True) -> torch.Tensor:
        """Summed log-probability of each answer."""
        return torch.tensor([sum(row) for row in self.token_logprobs(side, adapter=adapter)])


def by_hand(logits: torch.Tensor, labels: torch.Tensor) -> list[list[float]]:
    """Log-probability of each answer token, record by record, one number after the other."""
    rows = []
    for row, targets in zip(logits.double().tolist(), labels.tolist(), strict=True):
        pairs = [(row[place - 1], target) for place, target in enumerate(targets) if place and target != -100]
        rows.append([scores[target] - math.log(sum(map(math.exp, scores))) for scores, target in pairs])
    return rows


class FixedLogits:
    """A method's loss on logits that a test gives, without any model.

    Two records of each side answer with two tokens and one of a vocabulary of four. `logits` are leaves: their
    gradients say what a step would do.
    """

    labels = torch.tensor([[-100, 1, 3, -100], [-100, -100, 2, -100]])

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.logits = {
            side: (2 * torch.randn(2, 4, 4, generator=generator)).requires_grad_()
            for side in ("forget", "refusal", "retain")
        }

    def loss(
        self,
        name: str,
        *,
        records: Mapping[str, Mapping[str, tuple[float, int]]] | None = None,
        distributions: Mapping[str, torch.Tensor] | None = None,
        **config: Any,
    ) -> LossOutput:
        """The loss against these frozen numbers of the records `a` and `b`."""
        module = METHODS.load(name)
        sides = {
            side: Side(Batch(input_ids=self.labels, labels=self.labels, logits=logits), ("a", "b"), 3.0, 2.0)
            for side, logits in self.logits.items()
        }
        reference = ReferenceModel(records=records, distributions=distributions)
        output: LossOutput = module.Method(module.Config(**config)).loss(None, PairedBatch(sides), reference)
        return output

    def token_logprobs(self, side: str = "forget") -> list[list[float]]:
        """Of the two records' answer tokens, by hand."""
        return by_hand(self.logits[side].detach(), self.labels)

    def gradient_of(self, loss: torch.Tensor, side: str = "forget") -> torch.Tensor:
        """With respect to a side's logits."""
        (gradient,) = torch.autograd.grad(loss, self.logits[side])
        return gradient

    def gradient_by_hand(self, weights: list[list[float]], side: str = "forget") -> torch.Tensor:
        """Of `sum_t weight_t log p(y_t)`, weights being plain numbers, with respect to a side's logits."""
        logits = self.logits[side].detach()
        gradient = torch.zeros_like(logits)
        for row, targets in enumerate(self.labels.tolist()):
            places = [place for place, target in enumerate(targets) if place and target != -100]
            for place, weight in zip(places, weights[row], strict=True):
                gradient[row, place - 1] = -weight * logits[row, place - 1].softmax(-1)
                gradient[row, place - 1, targets[place]] += weight
        return gradient


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> FixedLogits:
    def given(model: None, inputs: Batch, *, keep: str) -> Output:
        return Output(inputs["logits"], inputs["labels"])

    monkeypatch.setattr("offside_unlearn.methods._base.forward", given)
    return FixedLogits()


@pytest.fixture
def harness(fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]) -> LossHarness:
    loaded = fresh()
    return LossHarness(loaded, make_plan(loaded[1]))
