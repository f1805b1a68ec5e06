from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Collator, Encoder, build_tiny, load_model
from offside_data.vlm.digest import weights_digest
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import BatchPlan, ExampleSource, Side, Stream
from offside_unlearn.methods.manu import Config, Method
from offside_unlearn.tune import unfreeze

FULL = RunOptions(device="cpu", full=True)


def plan_of(league: OffsideDataset, processor: Any, *, steps: int = 1, batch_size: int = 4) -> BatchPlan:
    encoder, sources = Encoder(processor), {}
    for side in ("forget", "retain"):
        rows = league.records("multimodal", side)
        for name, options in ((side, {}), (f"{side}_blind", {"image": None})):
            encoded = [encoder.encode(row, **options) for row in rows]
            sources[name] = ExampleSource(encoded, Stream(encoded, seed=0, name=side), batch_size)
    return BatchPlan(sources, steps=steps, accumulation=1, collator=Collator(processor))


def activations(model: Any, plan: BatchPlan, side: str) -> dict[str, list[list[float]]]:
    """What goes into each outgoing layer, record by record, so that nothing is padded."""
    found: dict[str, list[list[float]]] = {}
    handles = []
    for name, module in model.named_modules():
        if re.search(r"(layers|blocks)\.\d+\.mlp\.(down_proj|fc2|linear_fc2)$", name):

            def look(module: Any, inputs: Any, name: str = name) -> None:
                found.setdefault(name, []).extend(inputs[0].double().flatten(0, -2).tolist())

            handles.append(module.register_forward_pre_hook(look))
    with torch.no_grad():
        for example in plan.sources[side].examples:
            model(**model_inputs(model, plan.collator([example])))
    for handle in handles:
        handle.remove()
    return found


def importance_by_hand(shown: list[list[float]], blind: list[list[float]], neuron: int) -> float:
    def facts(rows: list[list[float]]) -> tuple[float, float, float, float]:
        values = [row[neuron] for row in rows]
        if not values:
            return 0.0, 0.0, 0.0, 0.0
        n, mean = len(values), sum(values) / len(values)
        size, often = sum(map(abs, values)) / n, sum(abs(value) > 0.1 for value in values) / n
        return size, often, sum((value - mean) ** 2 for value in values) / n, sum(value**2 for value in values) / n

    (zm, nm, vm, em), (zt, nt, vt, et) = facts(shown), facts(blind)
    return (
        abs(zm - zt) / (zm + zt + 1e-5)
        + abs(nm - nt) / (nm + nt + 1e-5)
        + math.sqrt(vm + vt)
        + math.sqrt(abs(em - et) / (em + et + 1e-5))
    )


def zeroed(model: Any) -> dict[str, set[int]]:
    """The neurons without outgoing weights, by layer."""
    found = {}
    for name, module in model.named_modules():
        if re.search(r"\.\d+\.mlp\.(down_proj|fc2|linear_fc2)$", name):
            columns = {i for i, column in enumerate(module.weight.T) if not column.any()}
            if columns:
                found[name] = columns
    return found


def test_what_it_cuts_off_is_first_by_hand(fresh: Callable[[], tuple[Any, Any]], league: OffsideDataset) -> None:
    model, processor = fresh()
    unfreeze(model, "all")
    plan = plan_of(league, processor)
    start = {name: parameter.clone() for name, parameter in model.named_parameters()}
    ratios: dict[str, list[tuple[float, str, int]]] = {"language": [], "vision": []}
    seen = {side: activations(model, plan, side) for side in plan.sources}
    for name, rows in seen["forget"].items():
        for neuron in range(len(rows[0])):
            forget, retain = (
                importance_by_hand(seen[side][name], seen[f"{side}_blind"].get(name, []), neuron)
                for side in ("forget", "retain")
            )
            tower = "vision" if "visual" in name else "language"
            ratios[tower].append((forget / (retain + 1e-5), name, neuron))
    method = Method(Config(share=0.02))
    method.begin(model, plan, 0)
    assert all(torch.equal(parameter, start[name]) for name, parameter in model.named_parameters())
    said = method.edit(model, 1)
    expected: dict[str, set[int]] = {}
    for tower, every in ratios.items():
        first = sorted(every, reverse=True)[: math.ceil(0.02 * len(every))]
        assert said[f"{tower}_neurons"] == len(first)
        assert said[f"{tower}_least_ratio"] == pytest.approx(first[-1][0], rel=1e-3)
        for _, name, neuron in first:
            expected.setdefault(name, set()).add(neuron)
    assert zeroed(model) == expected
    for name, parameter in model.named_parameters():
        kept = torch.ones_like(parameter, dtype=torch.bool)
        if name.removesuffix(".weight") in expected and name.endswith(".weight"):
            kept[:, sorted(expected[name.removesuffix(".weight")])] = False
        assert torch.equal(parameter[kept], start[name][kept]), name


class Planted:
    """A plan that says which side is being read, so that one neuron can be made to answer to it."""

    def __init__(self, plan: BatchPlan) -> None:
        self.plan, self.sources, self.steps, self.side = plan, plan.sources, plan.steps, ""

    def once(self, side: str, size: int) -> Iterator[Side]:
        for batch in self.plan.once(side, size):
            self.side = side
            yield batch


def test_a_neuron_that_answers_to_the_pictures_to_be_forgotten_goes_first(
    fresh: Callable[[], tuple[Any, Any]], league: OffsideDataset
) -> None:
    model, processor = fresh()
    unfreeze(model, "language")
    plan = Planted(plan_of(league, processor))

    def plant(module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        values = inputs[0].clone()
        values[..., 17] = 1.0  # The same everywhere, but where there is a picture to be forgotten.
        if plan.side == "forget":
            values[..., 17] = 5 * torch.arange(values.shape[-2]).remainder(2)
        return (values,)

    name = "model.language_model.layers.2.mlp.down_proj"
    model.get_submodule(name).register_forward_pre_hook(plant)
    method = Method(Config(share=1 / (4 * 384)))
    method.begin(model, plan, 0)  # type: ignore[arg-type]
    assert method.edit(model, 1)["language_neurons"] == 1
    assert zeroed(model) == {name: {17}}


def test_the_points_of_a_curve_contain_one_another(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def made(name: str, config: dict[str, Any], curve: tuple[int, ...] = ()) -> Any:
        config = {"batch_size": 4, "share": 0.01, **config}
        return unlearn("manu", tiny, None, league, "complete", config, tmp_path / name, FULL, curve_steps=curve)

    def model_of(folder: Path) -> Any:
        return load_model(folder, device="cpu")

    run = made("curve", {}, (1, 3))
    assert run.manifest.training.steps == 3
    assert run.manifest.training.curve == (1, 3)
    assert [entry["step"] for entry in run.manifest.training.loss_history] == [1, 2, 3]
    assert run.manifest.training.reference is None
    assert "lr" not in run.manifest.config
    assert run.manifest.config["share"] == 0.01
    one, three = (zeroed(model_of(run.path / "curve" / f"step-00000{step}")) for step in (1, 3))
    assert sum(map(len, one.values())) < sum(map(len, three.values()))
    assert all(neurons <= three[name] for name, neurons in one.items())
    last = weights_digest(model_of(run.path))
    assert last == weights_digest(model_of(made("three", {"max_steps": 3}).path))
    single = made("single", {"lr": 3.0})
    assert single.manifest.training.steps == 1
    assert zeroed(model_of(single.path)) == one


def test_tune_spares_a_tower(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", full=True, tune="vision")
    run = unlearn("manu", tiny, None, league, "complete", {}, tmp_path / "run", options)
    found = zeroed(load_model(run.path, device="cpu"))
    assert found
    assert all("visual" in name for name in found)


def test_what_it_cannot_do_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def refused(setting: str = "complete", options: RunOptions = FULL, **config: Any) -> Any:
        return unlearn("manu", tiny, None, league, setting, config, tmp_path / "run", options)

    with pytest.raises(UsageError, match="no adapter can hold that: use --full"):
        refused(options=RunOptions(device="cpu"))
    with pytest.raises(UsageError, match="have none"):
        refused("unimodal")
    with pytest.raises(UsageError, match="more than all neurons"):
        refused(max_steps=3, share=0.4)
    with pytest.raises(UsageError, match="leaves out the MLPs"):
        refused(options=RunOptions(device="cpu", full=True, tune="projector"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family: str, league: OffsideDataset) -> None:
    texts = [f"{row['question']} {row['answer']}" for row in league.records("multimodal", "forget")]
    model, processor = build_tiny(family, texts=texts, seed=0)
    method = Method(Config(share=0.05))
    method.begin(unfreeze(model, "all"), plan_of(league, processor), 0)
    said = method.edit(model, 1)
    found = zeroed(model)
    cut = sum(len(neurons) for name, neurons in found.items() if re.search(r"language_model|text_model", name))
    assert cut == said["language_neurons"] > 0
    assert sum(map(len, found.values())) == said["language_neurons"] + said["vision_neurons"] > cut


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"active": -0.1}])
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
