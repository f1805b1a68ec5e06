"""The training loop: resumable to the bit, loud when something is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.errors import UsageError
from offside_data.vlm.digest import weights_digest
from offside_unlearn import trainer
from offside_unlearn.batches import BatchPlan, Needs, PairedBatch
from offside_unlearn.methods import LossOutput, MethodConfig, UnlearningMethod, answer_loss
from offside_unlearn.trainer import COMPLETE, STATE, Schedule, TrainConfig, TrainingError, last_checkpoint, train
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
CONFIG = TrainConfig(lr=1e-3, warmup=0.3, schedule="cosine")


def learn(model: Any, batch: PairedBatch) -> LossOutput:
    loss = answer_loss(model, batch.forget)
    return LossOutput(loss, {"forget_ce": loss})


def made(fresh: Fresh, lora: bool = True) -> tuple[Any, Any]:
    model, processor = fresh()
    torch.manual_seed(3)
    return (add_adapter(model, "language", LoraOptions()) if lora else unfreeze(model, "all")), processor


class Killed(Exception):  # noqa: N818 - not an error of ours
    pass


def killed_after(step: int) -> Callable[[Any, PairedBatch], LossOutput]:
    calls = 0

    def objective(model: Any, batch: PairedBatch) -> LossOutput:
        nonlocal calls
        calls += 1
        if calls > step:
            raise Killed
        return learn(model, batch)

    return objective


@pytest.mark.parametrize(("lora", "accumulation"), [(True, 2), (False, 1)])
def test_an_interrupted_training_ends_with_the_same_bits(
    fresh: Fresh, make_plan: Plans, tmp_path: Path, lora: bool, accumulation: int
) -> None:
    config = dataclasses.replace(CONFIG, accumulation=accumulation)

    def attempt(name: str, objective: Any = learn) -> tuple[str, list[dict[str, float]]]:
        model, processor = made(fresh, lora)
        plan = make_plan(processor, steps=4, batch_size=2, accumulation=accumulation)
        torch.rand(len(name))  # Whatever happened before doesn't count.
        history = train(model, plan, objective, config, 0, Schedule(tmp_path / name, checkpoint_seconds=0))
        return weights_digest(model), history

    undisturbed = attempt("undisturbed")
    for calls in (2 * accumulation, accumulation):  # The second attempt goes on after the first.
        with pytest.raises(Killed):
            attempt("disturbed", killed_after(calls))
    digest, history = attempt("disturbed")
    assert digest == undisturbed[0]
    assert history == undisturbed[1]
    assert [entry["step"] for entry in history] == [1, 2, 3, 4]


class Counting(UnlearningMethod[MethodConfig]):
    """A method whose loss depends on what it has seen so far."""

    def __init__(self) -> None:
        super().__init__(MethodConfig())
        self.state = {"weight": torch.tensor(1.0, dtype=torch.float64), "steps": torch.tensor(0)}

    def needs(self) -> Needs:
        return Needs()

    def loss(self, model: Any, batch: PairedBatch, reference: Any = None) -> LossOutput:
        output = learn(model, batch)
        return LossOutput(output.loss * float(self.state["weight"]), output.terms)

    def after_step(self, terms: Mapping[str, float]) -> None:
        self.state["steps"] += 1
        self.state["weight"] = self.state["weight"] * terms["forget_ce"] / 3


def test_what_a_method_carries_along_survives_a_kill(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, accumulation=2)

    def attempt(name: str, calls: int | None = None) -> tuple[str, list[dict[str, float]], dict[str, float]]:
        model, processor = made(fresh)
        method = Counting()
        stop = killed_after(calls) if calls is not None else learn

        def objective(model: Any, batch: PairedBatch) -> LossOutput:
            stop(model, batch)
            return method.loss(model, batch)

        schedule = Schedule(tmp_path / name, checkpoint_seconds=0)
        plan = make_plan(processor, steps=4, batch_size=2, accumulation=2)
        history = train(model, plan, objective, config, 0, schedule, method)
        return weights_digest(model), history, {name: float(value) for name, value in method.state.items()}

    undisturbed = attempt("undisturbed")
    assert undisturbed[2]["steps"] == 4, "once an optimizer step, not once a micro-batch"
    with pytest.raises(Killed):
        attempt("disturbed", 4)
    assert attempt("disturbed") == undisturbed
    with pytest.raises(Killed):
        attempt("damaged", 4)
    checkpoint = last_checkpoint(tmp_path / "damaged")
    assert checkpoint is not None
    (Path(checkpoint) / STATE).unlink()
    with pytest.raises(TrainingError, match="is missing"):
        attempt("damaged")


class Preparing(UnlearningMethod[MethodConfig]):
    """A method that finds something out before its first step, and makes another model of the trained one."""

    def __init__(self) -> None:
        super().__init__(MethodConfig())
        self.found_out = 0
        self.modes: list[bool] = []

    def needs(self) -> Needs:
        return Needs()

    def begin(self, model: Any, plan: BatchPlan, seed: int) -> None:
        self.modes.append(model.training)
        if not self.state:
            self.found_out += 1
            torch.rand(5)  # Whatever it draws doesn't count.
            with torch.no_grad():
                cost = [answer_loss(model, side) for side in plan.once("forget", 4)]
            self.state["weight"] = torch.stack(cost).mean() + seed

    def loss(self, model: Any, batch: PairedBatch, reference: Any = None) -> LossOutput:
        output = learn(model, batch)
        return LossOutput(output.loss * float(self.state["weight"]), output.terms)

    def finish(self, model: Any) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.mul_(-0.37)


@pytest.mark.parametrize("lora", [True, False])
def test_what_a_method_does_before_and_after_survives_points_of_a_curve_and_a_kill(
    fresh: Fresh, make_plan: Plans, tmp_path: Path, lora: bool
) -> None:
    def attempt(
        name: str, *, calls: int | None = None, points: tuple[int, ...] = (), steps: int = 4
    ) -> tuple[Preparing, str, dict[int, str]]:
        model, processor = made(fresh, lora)
        method, found = Preparing(), {}
        stop = killed_after(calls) if calls is not None else learn

        def objective(model: Any, batch: PairedBatch) -> LossOutput:
            stop(model, batch)
            return method.loss(model, batch)

        def save(model: Any, step: int) -> None:
            found[step] = weights_digest(model)

        folder = tmp_path / name
        schedule = Schedule(folder, checkpoint_seconds=0 if calls or name == "disturbed" else 9e9)
        schedule = dataclasses.replace(schedule, save_at=points, save=save)
        plan = make_plan(processor, steps=steps, batch_size=2)
        config = TrainConfig(lr=1e-3, schedule="constant")
        train(model, plan, objective, config, 5, schedule, method)
        return method, weights_digest(model), found

    method, undisturbed, _ = attempt("undisturbed")
    assert method.found_out == 1
    assert method.modes == [False], "it looks at the model in eval mode"
    two = attempt("two", steps=2)[1]
    with pytest.raises(Killed):
        attempt("disturbed", calls=3, points=(1, 2))
    method, digest, found = attempt("disturbed", points=(1, 2, 3, 4))
    assert digest == undisturbed
    assert method.found_out == 0, "what the checkpoint holds isn't found out again"
    curve = attempt("curve", points=(1, 2, 3, 4))[2]
    assert curve == {**curve, 2: two, 4: undisturbed}
    assert found.items() <= curve.items()


def test_an_incomplete_checkpoint_is_never_used(tmp_path: Path) -> None:
    for step in (5, 10, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (5, 10):
        (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert not (tmp_path / "checkpoint-20").exists()
    assert last_checkpoint(tmp_path / "nothing") is None


def test_each_term_is_logged_for_each_step(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = made(fresh)
    history = train(model, make_plan(processor, steps=3), learn, CONFIG, 0, Schedule(tmp_path))
    assert [entry["step"] for entry in history] == [1, 2, 3]
    for entry in history:
        assert entry["loss"] == pytest.approx(entry["forget_ce"], rel=1e-5)
        assert {"grad_norm", "learning_rate"} <= entry.keys()


@pytest.mark.parametrize("name", ["loss", "grad_norm", "step"])
def test_a_term_cannot_take_the_name_of_what_is_logged_anyway(name: str) -> None:
    with pytest.raises(ValueError, match=f"may not be called {name}"):
        LossOutput(torch.tensor(1.0), {"forget_ce": torch.tensor(2.0), name: torch.tensor(3.0)})


def test_training_learns_and_leaves_the_base_alone(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = made(fresh)
    before = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    config = TrainConfig(lr=1e-2)
    history = train(model, make_plan(processor, steps=12, batch_size=6), learn, config, 0, Schedule(tmp_path))
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters() if n in before)
    assert not model.training


def test_a_loss_that_is_not_finite_stops_training(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = made(fresh)

    def explode(model: Any, batch: PairedBatch) -> LossOutput:
        output = learn(model, batch)
        return LossOutput(output.loss * float("nan"), output.terms)

    with pytest.raises(TrainingError, match=r"step 1: the loss is nan \(forget_ce = .*the batch held r"):
        train(model, make_plan(processor), explode, CONFIG, 0, Schedule(tmp_path))


def test_an_adapter_that_does_not_move_is_an_error(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = made(fresh)

    def idle(model: Any, batch: PairedBatch) -> LossOutput:
        output = learn(model, batch)
        return LossOutput(output.loss * 0, output.terms)

    with pytest.raises(TrainingError, match="adapter weights got no gradient"):
        train(model, make_plan(processor), idle, CONFIG, 0, Schedule(tmp_path))


def test_tuning_the_vision_tower_on_text_is_an_error(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = fresh()
    model = add_adapter(model, "all", LoraOptions())
    with pytest.raises(TrainingError, match="hold no picture"):
        train(model, make_plan(processor, config="text"), learn, CONFIG, 0, Schedule(tmp_path))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_activation_checkpointing_trains_the_same(
    fresh: Fresh, make_plan: Plans, tmp_path: Path, dtype: torch.dtype
) -> None:
    losses = []
    for activation_checkpointing in (False, True):
        model, processor = fresh()
        torch.manual_seed(3)
        model = add_adapter(model.to(dtype), "language", LoraOptions())
        ups = {name: p for name, p in model.named_parameters() if "lora_B" in name}
        config = dataclasses.replace(CONFIG, warmup=0, activation_checkpointing=activation_checkpointing)
        moved: dict[int, list[bool]] = {}

        def look(model: Any, step: int, ups: Any = ups, moved: Any = moved) -> None:
            moved[step] = [bool(p.any()) for p in ups.values()]

        folder = tmp_path / str(activation_checkpointing)
        torch.manual_seed(0)
        history = train(model, make_plan(processor), learn, config, 0, Schedule(folder, save_at=[1], save=look))
        losses.append([entry["loss"] for entry in history])
        assert {p.dtype for p in ups.values()} == {torch.float32}, "an adapter keeps all its digits"
        assert len(moved[1]) > 10
        assert all(moved[1]), "after the first step every lora_B has moved"
    assert losses[0] == pytest.approx(losses[1], rel=1e-4 if dtype == torch.float32 else 0.02)


def test_models_are_saved_at_the_steps_asked_for(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = made(fresh)
    saved: list[int] = []
    schedule = Schedule(tmp_path, save_at=[1, 3], save=lambda model, step: saved.append(step))
    train(model, make_plan(processor), learn, CONFIG, 0, schedule)
    assert saved == [1, 3]


def test_nothing_to_train_is_refused(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    model, processor = fresh()
    with pytest.raises(UsageError, match="no parameter is to be trained"):
        train(model.requires_grad_(False), make_plan(processor), learn, CONFIG, 0, Schedule(tmp_path))


def test_micro_batches_that_cannot_be_shared_out_are_refused(
    fresh: Fresh, make_plan: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = made(fresh)
    monkeypatch.setenv("WORLD_SIZE", "2")
    config = dataclasses.replace(CONFIG, batch_size=6)
    with pytest.raises(UsageError, match=r"accumulation=1 can't .* --set accumulation=2 --set batch_size=3\."):
        train(model, make_plan(processor), learn, config, 0, Schedule(tmp_path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0}, {"lr": 1e40}, {"epochs": -1}, {"batch_size": 0}, {"max_steps": 0}, {"warmup": 1.0}, {"beta2": 1.0},
        {"beta2": -0.1}, {"weight_decay": -0.1}, {"weight_decay": 1e40}, {"max_grad_norm": -1}, {"per_picture": -1},
        {"workers": -1},
    ],
)  # fmt: skip
def test_impossible_configs_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_the_trainer_divides_by_the_accumulation_itself() -> None:
    assert trainer._Trainer.loss_is_scaled_for_ga is False
