"""Gradients of a loss whose two parts are known by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.methods import LossOutput, answer_loss
from offside_unlearn.sharpness import SharpnessAware
from offside_unlearn.trainer import Schedule, TrainConfig, TrainingError, train
from offside_unlearn.tune import LoraOptions, add_adapter

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]


def gradients(rho: float, targets: list[float], *, kept: bool = True, forgets: bool = True) -> list[torch.Tensor]:
    """Of two weights, for `F = sum_i (theta_1 - t_i)^4 / n` and `K = 3 (theta_1 theta_2)^2`, a micro-batch a target."""
    first, second = (torch.nn.Parameter(torch.tensor([value])) for value in (1.5, -0.5))
    before = [weight.detach().clone() for weight in (first, second)]

    def loss(target: Any) -> LossOutput:
        forget = ((first - target) ** 4).sum() if forgets else torch.zeros(())
        return LossOutput(forget, {}, (3 * (first * second) ** 2).sum() if kept else None)

    sharp = SharpnessAware(rho, [("first", first), ("second", second)])
    batches: Any = targets
    sharp.begin(batches)
    total = sum(float(sharp.backward(loss, loss)) for _ in targets)
    assert total == pytest.approx(sum(float(loss(target).loss.detach()) for target in targets) / len(targets))
    assert all(torch.equal(weight, value) for weight, value in zip((first, second), before, strict=True))
    return [torch.zeros(1) if weight.grad is None else weight.grad for weight in (first, second)]


@pytest.mark.parametrize("targets", [[0.5], [0.5, -1.0], [4.0, 3.0, -1.0]])
def test_what_forgets_is_derived_at_the_worst_point_and_what_keeps_at_the_weights(targets: list[float]) -> None:
    rho = 0.25

    def slope(at: float) -> float:
        return sum(4 * (at - target) ** 3 for target in targets) / len(targets)

    sign = 1 if slope(1.5) > 0 else -1  # F depends on one weight alone: the way up is rho in its direction.
    first, second = gradients(rho, targets)
    assert first.item() == pytest.approx(slope(1.5 + sign * rho) + 3 * 2 * 1.5 * 0.25, rel=1e-5)
    assert second.item() == pytest.approx(3 * 2 * 1.5**2 * -0.5, rel=1e-5)


def test_a_loss_that_only_forgets_and_one_that_only_keeps() -> None:
    first, second = gradients(0.5, [0.5], kept=False)
    assert (first.item(), second.item()) == (pytest.approx(4 * 1.5**3), 0)
    first, _ = gradients(0.5, [0.5], forgets=False)
    assert first.item() == pytest.approx(3 * 2 * 1.5 * 0.25)


def trained(fresh: Fresh, make_plan: Plans, folder: Path, rho: float, stop: int | None = None) -> torch.Tensor:
    model, processor = fresh()
    torch.manual_seed(0)
    model = add_adapter(model, "language", LoraOptions(lora_dropout=0.05))
    calls = 0

    def objective(model: Any, batch: PairedBatch) -> LossOutput:
        nonlocal calls
        calls += 1
        if calls == stop:
            raise KeyboardInterrupt
        forget = answer_loss(model, batch.forget)
        return LossOutput(-forget, {"forget_ce": forget}, answer_loss(model, batch.retain))

    plan, config = make_plan(processor, steps=4, accumulation=2), TrainConfig(lr=1e-3, accumulation=2)
    train(model, plan, objective, config, 0, Schedule(folder, checkpoint_seconds=0), sharpness=rho)
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def test_a_loss_that_is_not_finite_at_the_worst_point_stops_training(
    fresh: Fresh, make_plan: Plans, tmp_path: Path
) -> None:
    model, processor = fresh()
    model, calls = add_adapter(model, "language", LoraOptions()), 0

    def objective(model: Any, batch: PairedBatch) -> LossOutput:
        nonlocal calls
        calls += 1
        loss = answer_loss(model, batch.forget)
        return LossOutput(loss * (float("inf") if calls == 2 else 1), {"forget_ce": loss})

    with pytest.raises(TrainingError, match="step 1: the loss is inf"):
        train(model, make_plan(processor, steps=1), objective, TrainConfig(), 0, Schedule(tmp_path), sharpness=0.1)


def test_activation_checkpointing_gives_the_same_gradients(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    norms = []
    for twice in (False, True):
        model, processor = fresh()
        torch.manual_seed(0)
        model = add_adapter(model, "language", LoraOptions())

        def objective(model: Any, batch: PairedBatch) -> LossOutput:
            forget = answer_loss(model, batch.forget)
            return LossOutput(-forget, {"forget_ce": forget}, answer_loss(model, batch.retain))

        config = TrainConfig(lr=1e-3, activation_checkpointing=twice)
        plan, schedule = make_plan(processor, steps=2), Schedule(tmp_path / str(twice))
        history = train(model, plan, objective, config, 0, schedule, sharpness=0.5)
        norms.append([entry["grad_norm"] for entry in history])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_a_training_uses_it_and_goes_on_after_a_kill_to_the_same_bits(
    fresh: Fresh, make_plan: Plans, tmp_path: Path
) -> None:
    whole = trained(fresh, make_plan, tmp_path / "whole", 0.5)
    with pytest.raises(KeyboardInterrupt):
        trained(fresh, make_plan, tmp_path / "killed", 0.5, stop=11)
    assert torch.equal(trained(fresh, make_plan, tmp_path / "killed", 0.5), whole)
    assert not torch.allclose(trained(fresh, make_plan, tmp_path / "plain", 0.0), whole, atol=1e-6)
