from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Batch, build_tiny, load_model
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, Side
from offside_unlearn.methods import losses
from offside_unlearn.methods.rmu import Config, Method
from offside_unlearn.reference import Preparation
from offside_unlearn.tune import LoraOptions, add_adapter

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
RUN = {"max_steps": 2, "batch_size": 2, "lr": 1e-3, "retain_ratio": 1}


def states_of(model: Any, side: Side, layer: int, *, adapter: bool = True) -> list[list[float]]:
    """Hidden states after a layer, as `transformers` gives them itself, where an answer's tokens are predicted."""
    with torch.no_grad(), contextlib.nullcontext() if adapter else model.disable_adapter():
        inputs = model_inputs(model, Batch(side.inputs))
        output = model(**inputs, use_cache=False, output_hidden_states=True)
    states, found = output.hidden_states[layer + 1].double().tolist(), []
    for row, labels in zip(states, side.inputs["labels"].tolist(), strict=True):
        found += [row[place - 1] for place, label in enumerate(labels) if place and label != -100]
    return found


def distance(states: list[list[float]], wanted: list[list[float]]) -> float:
    each = [
        sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one)
        for one, other in zip(states, wanted, strict=True)
    ]
    return sum(each) / len(each)


class Started:
    """The method on a tiny model whose new adapter has moved, in the middle of a run."""

    def __init__(self, loaded: tuple[Any, Any], make_plan: Plans, **config: Any) -> None:
        model, processor = loaded
        self.method = Method(Config(**config))
        self.model = add_adapter(model, self.method.trains(model), LoraOptions(lora_dropout=0.0)).eval()
        plan = make_plan(processor, batch_size=3)
        examples = {side: source.examples for side, source in plan.sources.items()}
        preparation = Preparation(
            collator=plan.collator, batch_size=4, fresh_adapter=True, changing_pictures=False, folder=None
        )
        self.reference = references.of(self.model, self.method.needs(), examples, preparation)
        self.method.begin(self.model, plan, 3)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
        self.batch = next(plan.batches())

    def loss(self) -> Any:
        return self.method.loss(self.model, self.batch, self.reference)


def test_on_fixed_states_by_hand() -> None:
    states, wanted = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    assert losses.state_distance(states, wanted).item() == pytest.approx((0.5 + 4) / 2)
    assert losses.state_distance(states, torch.tensor([1.0, 0.0]), tokens=4.0).item() == pytest.approx((2 + 2.5) / 4)


@pytest.mark.parametrize(("depth", "layer"), [(0.22, 1), (0.5, 2)])
def test_it_is_the_distance_to_a_random_point_and_to_the_frozen_states(
    fresh: Fresh, make_plan: Plans, depth: float, layer: int
) -> None:
    run = Started(fresh(), make_plan, depth=depth, steering_coeff=6.5, alpha=3.0)
    output = run.loss()
    states = states_of(run.model, run.batch.forget, layer)
    point = [6.5 * value for value in run.method.state["direction"].double().tolist()]
    kept, frozen = (states_of(run.model, run.batch.retain, layer, adapter=on) for on in (True, False))
    forget, retain = distance(states, [point] * len(states)), distance(kept, frozen)
    assert retain > 0
    assert output.terms["forget_rmu"].item() == pytest.approx(forget, rel=1e-4)
    assert output.terms["retain_rmu"].item() == pytest.approx(retain, rel=1e-3)
    assert output.loss.item() == pytest.approx(forget + 3 * retain, rel=1e-4)
    lengths = [sum(value**2 for value in state) ** 0.5 for state in states]
    assert output.terms["forget_state_norm"].item() == pytest.approx(sum(lengths) / len(lengths), rel=1e-4)


def test_the_direction_is_of_length_one_and_follows_the_seed(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    plan = make_plan(processor)

    def drawn(seed: int, **before: torch.Tensor) -> torch.Tensor:
        method = Method(Config())
        method.state.update(before)
        torch.rand(seed + 1)  # Whatever was drawn before doesn't count.
        method.begin(model, plan, seed)
        return method.state["direction"]

    direction = drawn(0)
    assert direction.norm().item() == pytest.approx(1)
    assert bool((direction >= 0).all())
    assert torch.equal(drawn(0), direction)
    assert not torch.allclose(drawn(1), direction)
    assert torch.equal(drawn(1, direction=direction), direction), "a run that goes on keeps its own"


def test_without_weights_what_must_stay_is_not_read(fresh: Fresh, make_plan: Plans) -> None:
    needs = Method(Config(alpha=0)).needs()
    assert not needs.retain
    assert not needs.frozen_model
    both = Method(Config(lambda_r=1.0, retention="kl")).needs()
    assert both.retain
    assert both.frozen_model
    assert both.token_reference == {"retain"}
    run = Started(fresh(), make_plan, lambda_r=0.5)
    output = run.loss()
    rmu = output.terms["forget_rmu"] + 100 * output.terms["retain_rmu"]
    assert output.loss.item() == pytest.approx((rmu + 0.5 * output.terms["retain_ce"]).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("full", "config", "layers"), [(True, {}, "01"), (False, {}, "01"), (True, {"depth": 1, "trained_layers": 2}, "23")]
)
def test_only_the_mlps_of_its_layers_are_trained(
    full: bool, config: dict[str, Any], layers: str, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    options = RunOptions(device="cpu", full=full)
    run = unlearn("rmu", tiny, None, league, "complete", {**RUN, **config}, tmp_path / "run", options)
    training = run.manifest.training
    assert training is not None
    assert training.reference == ("kept weights" if full else "adapter off")
    assert {tower: row["modules"] for tower, row in training.trained_parts.items() if row["modules"]} == {
        "language": 3 * len(layers)
    }
    start = dict(load_model(tiny, device="cpu").named_parameters())
    model = load_model(run.path, device="cpu")
    if not full:
        model = model.merge_and_unload()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, start[name])}
    pattern = rf"model\.language_model\.layers\.[{layers}]\.mlp\.(gate|up|down)_proj\.weight"
    assert moved == {name for name in start if re.fullmatch(pattern, name)}
    assert re.fullmatch(training.tune, "model.language_model.layers.2.mlp.up_proj") is not None or "2" not in layers


def test_of_an_adapter_that_is_continued_only_what_sits_there_is_trained(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    options = RunOptions(device="cpu")
    first = unlearn("grad_diff", tiny, None, league, "complete", RUN, tmp_path / "first", options)
    second = unlearn("rmu", first.path, None, league, "complete", RUN, tmp_path / "second", options)
    assert second.manifest.training is not None
    assert second.manifest.training.reference == "kept weights"
    before, after = (dict(load_model(run.path, device="cpu").named_parameters()) for run in (first, second))
    moved = {name for name, parameter in after.items() if not torch.equal(parameter, before[name])}
    assert moved
    assert all(re.search(r"layers\.[01]\.mlp\..*lora_", name) for name in moved)


def test_tune_and_an_adapter_elsewhere_are_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", tune="vision")
    with pytest.raises(UsageError, match="--tune vision: this method itself says what is trained"):
        unlearn("rmu", tiny, None, league, "complete", RUN, tmp_path / "run", options)
    first = unlearn("grad_diff", tiny, None, league, "complete", RUN, tmp_path / "first", options)
    with pytest.raises(UsageError, match="sits on none of the modules"):
        unlearn("rmu", first.path, None, league, "complete", RUN, tmp_path / "run", RunOptions(device="cpu"))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family: str, league: OffsideDataset, make_plan: Plans) -> None:
    texts = [f"{row['question']} {row['answer']}" for row in league.records("multimodal", "forget")]
    run = Started(build_tiny(family, texts=texts, seed=0), make_plan)
    output = run.loss()
    states = states_of(run.model, run.batch.forget, 1)
    lengths = [sum(value**2 for value in state) ** 0.5 for state in states]
    assert output.terms["forget_state_norm"].item() == pytest.approx(sum(lengths) / len(lengths), rel=1e-4)
    output.loss.backward()
    trained = {name: p.grad for name, p in run.model.named_parameters() if p.requires_grad}
    assert all(gradient is not None and bool(gradient.any()) for gradient in trained.values())
    assert len(trained) == 2 * 3 * 2


@pytest.mark.parametrize(
    "wrong", [{"depth": 1.5}, {"trained_layers": 0}, {"steering_coeff": -1}, {"alpha": -0.1}, {"lambda_r": -1}]
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
