from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixed_logits import predicted

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import load_model
from offside_data.vlm.digest import weights_digest
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods.task_vector import Config, Method
from offside_unlearn.reference import ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, TrainingError, train
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
CONFIG = {"max_steps": 3, "batch_size": 2, "lr": 1e-3, "schedule": "constant"}


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def moved(model: Any, method: Method, plan: BatchPlan) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Let a method begin, move what is trained at random, and give the weights at the start and where they went."""
    start = weights(model)
    method.begin(model, plan, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return start, weights(model)


def test_it_learns_what_is_to_be_forgotten(harness: Any) -> None:
    output = harness.loss("task_vector", moved=True)
    ce = harness.cross_entropy(harness.batch.forget)
    assert output.loss.item() == pytest.approx(ce, rel=1e-5)
    assert output.terms["forget_ce"].item() == pytest.approx(ce, rel=1e-5)


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 0.0), (0.5, -0.5), (2.0, -2.0)])
def test_it_goes_the_other_way_through_the_start(fresh: Fresh, make_plan: Plans, alpha: float, expected: float) -> None:
    model, processor = fresh()
    unfreeze(model, "language")
    method = Method(Config(alpha=alpha))
    start, trained = moved(model, method, make_plan(processor))
    method.finish(model)
    for name, after in weights(model).items():
        wanted = start[name].double() + expected * (trained[name].double() - start[name].double())
        torch.testing.assert_close(after.double(), wanted, rtol=1e-5, atol=1e-6)
        if "visual" in name or alpha == 0:
            assert torch.equal(after, start[name]), name


def test_an_adapter_is_scaled(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    base = copy.deepcopy(model)
    model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0))
    method = Method(Config(alpha=1.5))
    _, trained = moved(model, method, make_plan(processor))
    learnt = copy.deepcopy(model).merge_and_unload()
    method.finish(model)
    for name, after in weights(model).items():
        assert torch.equal(after, trained[name] * -1.5 if "lora_B" in name else trained[name]), name
    away = dict(model.merge_and_unload().named_parameters())
    towards = dict(learnt.named_parameters())
    for name, start in base.named_parameters():
        torch.testing.assert_close(away[name] - start, -1.5 * (towards[name] - start), rtol=1e-3, atol=1e-4)


def test_the_saved_model_has_forgotten(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = fresh()
    model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0))
    plan = make_plan(processor, batch_size=6, steps=8)
    (side,) = plan.once("forget", 6)

    def likely() -> float:
        return sum(logits[token] - max(logits) for record in predicted(model, side) for logits, token in record)

    before, method = likely(), Method(Config())
    history = train(
        model,
        plan,
        lambda model, batch: method.loss(model, batch, ReferenceModel()),
        TrainConfig(lr=3e-3),
        0,
        Schedule(tmp_path),
        method,
    )
    assert history[-1]["forget_ce"] < history[0]["forget_ce"], "the fine-tuning learns"
    assert likely() < before


@pytest.mark.parametrize("full", [False, True])
def test_a_point_of_a_curve_is_what_a_run_of_so_many_steps_makes(
    full: bool, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    options = RunOptions(device="cpu", full=full)

    def made(name: str, steps: int, curve: tuple[int, ...] = ()) -> Path:
        config = {**CONFIG, "max_steps": steps}
        run = unlearn(
            "task_vector", tiny, None, league, "complete", config, tmp_path / name, options, curve_steps=curve
        )
        return run.path

    def digest(folder: Path) -> str:
        return weights_digest(load_model(folder, device="cpu"))

    curve = made("curve", 3, (1, 2, 3))
    assert digest(curve / "curve" / "step-000002") == digest(made("two", 2))
    assert digest(curve / "curve" / "step-000003") == digest(curve) == digest(made("three", 3))


def test_an_adapter_that_is_continued_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu")
    first = unlearn("grad_diff", tiny, None, league, "complete", CONFIG, tmp_path / "first", options)
    with pytest.raises(UsageError, match="Merge it first"):
        unlearn("task_vector", first.path, None, league, "complete", CONFIG, tmp_path / "second", options)
    full = RunOptions(device="cpu", full=True)
    unlearn("task_vector", first.path, None, league, "complete", CONFIG, tmp_path / "third", full)


def test_an_adapter_that_would_do_nothing_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    config = {**CONFIG, "alpha": 0}
    with pytest.raises(UsageError, match="alpha=0 subtracts nothing"):
        unlearn("task_vector", tiny, None, league, "complete", config, tmp_path / "run", RunOptions(device="cpu"))


@pytest.mark.parametrize("curve", [(), (2,)])
def test_a_model_that_is_broken_is_not_saved(
    curve: tuple[int, ...], tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    """Its losses are finite to the last; only what is made of its weights in the end isn't."""
    options = RunOptions(device="cpu", full=True)
    with pytest.raises(TrainingError, match="not all weights are finite numbers any more"):
        unlearn(
            "task_vector", tiny, None, league, "complete", {**CONFIG, "alpha": 1e42}, tmp_path / "run", options,
            curve_steps=curve,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_negative_alpha_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha must not be negative"):
        Config(alpha=-1.0)
