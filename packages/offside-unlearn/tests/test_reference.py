"""The frozen model: three ways to have it, one answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from offside_data.errors import ModelError
from offside_data.vlm import Collator, forward
from offside_unlearn import losses, reference
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods import Needs
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

Fresh = Callable[[], tuple[Any, Any]]
TOKENS = Needs(retain=True, token_reference=frozenset({"retain"}))
RECORDS = Needs(record_reference=frozenset({"forget"}))
BOTH = Needs(refusal=True, record_reference=frozenset({"forget", "refusal"}))


def preparation(processor: Any, **changes: Any) -> Preparation:
    values = {"batch_size": 4, "fresh_adapter": False, "changing_pictures": False, "folder": None, **changes}
    return Preparation(collator=Collator(processor), **values)


def disturb(model: Any) -> None:
    """Move the trained weights, as training would."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


def expected(model: Any, plan: BatchPlan) -> tuple[torch.Tensor, torch.Tensor]:
    batch = next(plan.batches())
    with torch.no_grad():
        retain = forward(model, batch.retain.inputs)
        forget = forward(model, batch.forget.inputs)
    return (
        losses.token_logprobs(retain.logits, retain.labels),
        losses.record_logprobs(forget.logits, forget.labels),
    )


@pytest.mark.parametrize("lora", [True, False])
@pytest.mark.parametrize("changing_pictures", [True, False])
def test_all_ways_give_the_model_before_training(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], lora: bool, changing_pictures: bool
) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    tokens, records = expected(model, plan)
    model = add_adapter(model, "all", LoraOptions()) if lora else unfreeze(model, "all")
    model.train()
    frozen = reference.of(
        model,
        Needs(retain=True, record_reference=frozenset({"forget"}), token_reference=frozenset({"retain"})),
        {name: source.examples for name, source in plan.sources.items()},
        preparation(processor, fresh_adapter=lora, changing_pictures=changing_pictures),
    )
    disturb(model)
    batch = next(plan.batches())
    torch.testing.assert_close(frozen.token_logprobs(batch.retain), tokens, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(frozen.record_logprobs(batch.forget), records, rtol=1e-5, atol=1e-4)
    counts = (batch.forget.inputs["labels"] != -100).sum(1)
    means = frozen.record_logprobs(batch.forget, mean=True)
    torch.testing.assert_close(means, records / counts, rtol=1e-5, atol=1e-4)
    assert model.training, "the reference pass leaves the mode as it was"
    how = frozen.how or ""
    assert ("adapter off" in how) == lora
    assert ("kept weights" in how) == (not lora and changing_pictures)
    assert ("distributions" in how) == (not lora and not changing_pictures)


def test_nothing_is_prepared_that_nobody_needs(fresh: Fresh) -> None:
    model, processor = fresh()
    frozen = reference.of(model, Needs(), {}, preparation(processor))
    assert frozen.how is None
    assert frozen._kept == {}


def test_distributions_that_would_not_fit_are_computed_when_needed(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "STORED_BYTES", 1000)
    model, processor = fresh()
    plan = make_plan(processor)
    unfreeze(model, "all")
    examples = {name: source.examples for name, source in plan.sources.items()}
    frozen = reference.of(model, TOKENS, examples, preparation(processor))
    assert frozen.how == "kept weights"


def test_kept_weights_do_not_disturb_the_step(fresh: Fresh, make_plan: Callable[..., BatchPlan]) -> None:
    model, processor = fresh()
    batch = next(make_plan(processor).batches())
    unfreeze(model, "all")
    frozen = ReferenceModel(model, live="kept weights")
    disturb(model)

    def gradients(with_reference_in_between: bool) -> list[torch.Tensor]:
        model.zero_grad()
        output = forward(model, batch.forget.inputs)
        loss = losses.cross_entropy(output.logits, output.labels)
        if with_reference_in_between:
            frozen.token_logprobs(batch.retain)
        loss.backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for one, other in zip(gradients(False), gradients(True), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())


def test_numbers_by_record_are_kept_with_the_run_and_not_computed_twice(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    examples = {name: source.examples for name, source in plan.sources.items()}
    first = reference.of(model, RECORDS, examples, preparation(processor, folder=tmp_path))
    assert (tmp_path / reference.FILE).is_file()
    monkeypatch.setattr(reference, "forward", None)
    second = reference.of(model, RECORDS, examples, preparation(processor, folder=tmp_path))
    batch = next(plan.batches())
    assert torch.equal(first.record_logprobs(batch.forget), second.record_logprobs(batch.forget))


def test_numbers_of_before_there_were_sides_are_computed_again(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path
) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    examples = {name: source.examples for name, source in plan.sources.items()}
    file = tmp_path / reference.FILE
    old = [{"record_id": example.record_id, "logprob": -1.0, "tokens": 1} for example in examples["forget"]]
    pq.write_table(pa.Table.from_pylist(old), file)
    found = reference.of(model, RECORDS, examples, preparation(processor, folder=tmp_path))
    batch = next(plan.batches())
    again = reference.of(model, RECORDS, examples, preparation(processor))
    assert torch.equal(found.record_logprobs(batch.forget), again.record_logprobs(batch.forget))
    assert pq.read_table(file)["side"].unique().to_pylist() == ["forget"]


@pytest.mark.parametrize("changing_pictures", [True, False])
def test_refusals_have_numbers_of_their_own(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path, changing_pictures: bool
) -> None:
    """Of the same records: none may stand for the other, live, stored or read back."""
    model, processor = fresh()
    plan = make_plan(processor)
    batch = next(plan.batches())
    assert batch.refusal.record_ids == batch.forget.record_ids
    with torch.no_grad():
        outputs = {side: forward(model, batch.side(side).inputs) for side in ("forget", "refusal")}
    expected = {side: losses.record_logprobs(o.logits, o.labels) for side, o in outputs.items()}
    assert not torch.allclose(expected["forget"], expected["refusal"])
    unfreeze(model, "all")
    examples = {name: source.examples for name, source in plan.sources.items()}
    options = preparation(processor, folder=tmp_path, changing_pictures=changing_pictures)
    first = reference.of(model, BOTH, examples, options)
    disturb(model)
    frozen = [first] if changing_pictures else [first, reference.of(model, BOTH, examples, options)]
    for one in frozen:
        for side, numbers in expected.items():
            found = one.record_logprobs(batch.side(side), of=side)
            torch.testing.assert_close(found, numbers, rtol=1e-5, atol=1e-4)
    how = "kept weights" if changing_pictures else "stored: log-probability of each forget and refusal answer"
    assert first.how == how


def test_a_reference_that_needs_does_not_name_is_an_error(fresh: Fresh, make_plan: Callable[..., BatchPlan]) -> None:
    model, processor = fresh()
    batch = next(make_plan(processor).batches())
    with pytest.raises(ModelError, match="needs"):
        ReferenceModel(model).token_logprobs(batch.retain)


@pytest.mark.parametrize(("tune", "lora", "passes"), [("language", True, 1), ("language", False, 1), ("all", True, 2)])
def test_pictures_pass_the_vision_tower_once_where_it_is_not_trained(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tune: str, lora: bool, passes: int
) -> None:
    model, processor = fresh()
    seen: list[int] = []
    model.model.visual.register_forward_hook(lambda *_: seen.append(1))
    model = add_adapter(model, tune, LoraOptions(lora_dropout=0.0)) if lora else unfreeze(model, tune)
    frozen = ReferenceModel(model, live="adapter off" if lora else "kept weights")
    disturb(model)
    model.train()
    batch, again = (next(make_plan(processor).batches()).retain for _ in range(2))
    frozen.token_logprobs(batch)
    output = forward(model, batch.inputs, keep="answer")
    assert len(seen) == passes
    plain = forward(model, again.inputs, keep="answer")
    assert torch.equal(output.logits, plain.logits)
    gradients = []
    for found in (output, plain):
        model.zero_grad()
        losses.cross_entropy(found.logits, found.labels).backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    other = fresh()[0].eval()
    with torch.no_grad():
        other.model.visual.merger.mlp[0].weight.mul_(2)
        assert not torch.equal(forward(other, batch.inputs).logits, forward(model, again.inputs).logits)
        assert torch.equal(forward(other, batch.inputs).logits, forward(other, again.inputs).logits)


def test_the_adapter_is_off_only_inside(fresh: Fresh, make_plan: Callable[..., BatchPlan]) -> None:
    model, processor = fresh()
    batch = next(make_plan(processor).batches()).forget.inputs
    with torch.no_grad():
        start = forward(model, batch).logits
        model = add_adapter(model, "all", LoraOptions())
        frozen = ReferenceModel(model, live="adapter off")
        disturb(model)
        model.train()
        modes = {name: module.training for name, module in model.named_modules()}
        needing = [name for name, p in model.named_parameters() if p.requires_grad]
        with frozen.frozen():
            assert not any(module.training for module in model.modules())
            assert torch.equal(forward(model, batch).logits, start)
        with pytest.raises(KeyError), frozen.frozen():
            raise KeyError
        assert {name: module.training for name, module in model.named_modules()} == modes
        assert [name for name, p in model.named_parameters() if p.requires_grad] == needing
        assert not torch.allclose(forward(model.eval(), batch).logits, start, atol=1e-3)
