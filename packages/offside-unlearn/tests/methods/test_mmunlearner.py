from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.vlm import forward
from offside_unlearn.batches import BatchPlan, Side
from offside_unlearn.methods.mmunlearner import Config, Method
from offside_unlearn.reference import ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
Gradients = dict[str, torch.Tensor]


def gradient_of(model: Any, side: Side) -> Gradients:
    """Of `transformers`' own loss: shifted labels, mean over all that aren't ignored."""
    model.zero_grad()
    output, labels = forward(model, side.inputs), side.inputs["labels"][:, 1:].reshape(-1)
    logits = output.logits[:, :-1].reshape(len(labels), -1)
    torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100).backward()
    found = {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in trained(model).items()}
    model.zero_grad()
    return found


def trained(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def mask_by_hand(model: Any, plan: BatchPlan, threshold: float) -> dict[str, torch.Tensor]:
    saliency = {}
    for name in ("forget", "retain"):
        examples = plan.sources[name].examples
        pairs = [examples[i : i + 2] for i in range(0, len(examples), 2)]
        squares = [
            {n: g.double() ** 2 for n, g in gradient_of(model, Side(plan.collator(pair), (), 1.0, 1.0)).items()}
            for pair in pairs
        ]
        saliency[name] = {n: sum(square[n] for square in squares) / len(squares) for n in squares[0]}
    return {n: saliency["forget"][n] / saliency["retain"][n].clamp(min=1e-300) >= threshold for n in saliency["forget"]}


@pytest.fixture
def model_and_plan(fresh: Fresh, make_plan: Plans) -> tuple[Any, BatchPlan]:
    model, processor = fresh()
    return unfreeze(model, "language").eval(), make_plan(processor, batch_size=3)


@pytest.mark.parametrize("threshold", [0.5, 2.0])
def test_the_mask_is_open_where_a_weight_matters_more_for_what_is_forgotten(
    model_and_plan: tuple[Any, BatchPlan], threshold: float
) -> None:
    model, plan = model_and_plan
    before = copy.deepcopy(model.state_dict())
    method = Method(Config(threshold=threshold))
    method.begin(model, plan, 0)
    expected = mask_by_hand(model, plan, threshold)
    assert method.state.keys() == expected.keys()
    weights = agree = opened = 0
    for name, mask in expected.items():
        seen = method.state[name]
        assert seen.dtype == torch.bool
        moves = gradient_of_side(model, plan)[name] != 0
        weights, opened = weights + int(moves.sum()), opened + int((mask & moves).sum())
        agree += int((seen == mask)[moves].sum())
    assert agree >= 0.9999 * weights, "but for rounding"
    assert 0.02 < opened / weights < 0.98
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


_SEEN: dict[int, Gradients] = {}


def gradient_of_side(model: Any, plan: BatchPlan) -> Gradients:
    if id(plan) not in _SEEN:
        _SEEN.clear()
        _SEEN[id(plan)] = gradient_of(model, next(plan.batches()).forget)
    return _SEEN[id(plan)]


def test_it_masks_the_ascent_alone(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    method = Method(Config(lambda_r=0.7))
    method.begin(model, plan, 0)
    batch = next(plan.batches())
    forget, retain = gradient_of(model, batch.forget), gradient_of(model, batch.retain)
    output = method.loss(model, batch, ReferenceModel())
    wanted = -output.terms["forget_ce"] + 0.7 * output.terms["retain_ce"]
    assert output.loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    output.loss.backward()
    closed = 0
    for name, parameter in trained(model).items():
        mask = method.state[name]
        expected = -forget[name] * mask + 0.7 * retain[name]
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max() + 1e-3))
        closed += int((~mask & (forget[name] != 0)).sum())
    assert closed > 1000
    opened = sum(int(mask.sum()) for mask in method.state.values())
    share = opened / sum(mask.numel() for mask in method.state.values())
    assert output.terms["mask_share"].item() == pytest.approx(share)


def test_without_a_retention_term_only_open_weights_move(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = fresh()
    unfreeze(model, "language")
    start = copy.deepcopy(model.state_dict())
    method = Method(Config(lambda_r=0.0, threshold=2.0))
    assert method.needs().retain, "the mask looks at it all the same"
    train(
        model,
        make_plan(processor, steps=2),
        lambda model, batch: method.loss(model, batch, ReferenceModel()),
        TrainConfig(lr=1e-3),
        0,
        Schedule(tmp_path),
        method,
    )
    moved = 0
    for name, parameter in model.named_parameters():
        mask = method.state.get(name, torch.zeros_like(parameter, dtype=torch.bool))
        assert torch.equal(parameter[~mask], start[name][~mask]), name
        moved += int((parameter != start[name]).sum())
    assert moved > 1000


def test_of_a_new_adapter_one_half_is_masked(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0)).eval()
    method = Method(Config())
    method.begin(model, make_plan(processor), 0)
    assert all(bool(mask.all()) for name, mask in method.state.items() if "lora_A" in name)
    of_b = torch.cat([mask.flatten() for name, mask in method.state.items() if "lora_B" in name])
    assert 0.02 < of_b.float().mean() < 0.98


def test_activation_checkpointing_trains_the_same(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    found = []
    for checkpointing in (False, True):
        model, processor = fresh()
        unfreeze(model, "language")
        method = Method(Config())
        history = train(
            model,
            make_plan(processor),
            lambda model, batch, method=method: method.loss(model, batch, ReferenceModel()),
            TrainConfig(lr=1e-3, activation_checkpointing=checkpointing),
            0,
            Schedule(tmp_path / str(checkpointing)),
            method,
        )
        found.append([entry["forget_ce"] for entry in history])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"saliency_batch_size": 0}, {"lambda_r": -1.0}])
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
