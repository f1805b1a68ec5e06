"""A method on a tiny model that has moved away from its start: what the contract tests hold methods to."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_data.vlm import Collator
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, PairedBatch, Side
from offside_unlearn.methods import EditingMethod, LossOutput, Needs, UnlearningMethod
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze
from offside_unlearn.unlearning import METHODS

SIDES = ("forget", "retain", "refusal", "alternative")

Begun = dict[tuple[str, Any], dict[str, torch.Tensor]]
"""By method and form of the records, what `begin` left as `state`."""


class Case:
    """A method on a tiny model that isn't at its start any more, with a fresh adapter where the method allows one."""

    def __init__(
        self,
        name: str,
        loaded: tuple[Any, Any],
        make_plan: Callable[..., BatchPlan],
        begun: Begun | None = None,
        *,
        tune: str = "all",
        **plan: Any,
    ) -> None:
        module = METHODS.load(name)
        if issubclass(module.Method, EditingMethod):
            pytest.skip("isn't trained")
        self.method: UnlearningMethod[Any] = module.Method(module.Config())
        self.needs: Needs = self.method.needs()
        model, processor = loaded
        self.processor = processor
        # Dropout off: what is compared here may differ by the loss alone.
        torch.manual_seed(0)
        tune, self.full = self.method.trains(model) or tune, self.method.needs_full
        self.model = unfreeze(model, tune) if self.full else add_adapter(model, tune, LoraOptions(lora_dropout=0.0))
        self._make_plan = make_plan
        self.plan = make_plan(processor, method=self.method, **plan)
        self.reference: ReferenceModel = references.of(
            self.model,
            self.needs,
            {**{side: source.examples for side, source in self.plan.sources.items()}, **self.plan.only_frozen},
            Preparation(
                collator=Collator(processor),
                batch_size=4,
                fresh_adapter=not self.full,
                changing_pictures=False,
                folder=None,
                only_frozen=frozenset(self.plan.only_frozen),
            ),
        )
        found = {} if begun is None else begun.setdefault((name, plan.get("config")), {})
        self.method.state.update({part: values.clone() for part, values in found.items()})
        self.method.begin(self.model, self.plan, 0)
        found.update({part: values.clone() for part, values in self.method.state.items()})
        self.model.train()
        with torch.no_grad():
            for parameter_name, parameter in self.model.named_parameters():
                if "lora_B" in parameter_name or (self.full and parameter.requires_grad):
                    parameter.add_(torch.empty_like(parameter).normal_(std=0.02))
        self._weights = {key: value.clone() for key, value in self.model.state_dict().items()}
        self._state = {part: values.clone() for part, values in self.method.state.items()}

    def restore(self) -> None:
        """Make model and method what they were at first, whatever was done with them."""
        self.model.load_state_dict(self._weights)
        self.model.zero_grad()
        self.method.state = {part: values.clone() for part, values in self._state.items()}

    @property
    def read(self) -> set[str]:
        """The batches that the method reads: those that it says it needs, and its own."""
        return {side for side in SIDES if getattr(self.needs, side)} | self.plan.own

    def output(self, batch: PairedBatch) -> LossOutput:
        return self.method.loss(self.model, batch, self.reference)

    def terms(self, batch: PairedBatch) -> dict[str, torch.Tensor]:
        """The named terms: in their total a large one would hide what happens to a small one."""
        return {term: value.detach() for term, value in self.output(batch).terms.items()}

    def accumulated(self, batches: list[PairedBatch]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Gradient of the loss accumulated over batches, as the trainer accumulates it, and the terms' means."""
        self.model.zero_grad()
        parts = []
        for batch in batches:
            output = self.output(batch)
            (output.loss / len(batches)).backward()
            parts.append({term: value.detach() for term, value in output.terms.items()})
        gradient = {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None}
        return gradient, {term: torch.stack([part[term] for part in parts]).mean() for term in parts[0]}

    def other_plan(self, **plan: Any) -> BatchPlan:
        """Another plan of the same records, for a method that has asked for its sides already."""
        return self._make_plan(self.processor, method=type(self.method)(self.method.config), **plan)

    def with_another_picture(self, batch: PairedBatch, side: str) -> PairedBatch:
        """The batch, with a side's pictures in another order."""
        inputs = copy.deepcopy(batch.side(side).inputs)
        inputs["pixel_values"] = inputs["pixel_values"].flip(0)
        return self._with(batch, side, inputs)

    def without_answers(self, batch: PairedBatch, side: str) -> PairedBatch:
        """The batch, with no answer token on a side."""
        inputs = copy.deepcopy(batch.side(side).inputs)
        inputs["labels"].fill_(-100)
        return self._with(batch, side, inputs)

    @staticmethod
    def _with(batch: PairedBatch, side: str, inputs: Any) -> PairedBatch:
        old = batch.side(side)
        return PairedBatch({**batch.sides, side: Side(inputs, old.record_ids, old.tokens, old.records)})
