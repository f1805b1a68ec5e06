from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Batch, Collator, Encoder, build_tiny, forward, load_model
from offside_data.vlm.digest import weights_digest
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, ExampleSource, PairedBatch, Side, Stream
from offside_unlearn.methods import LossOutput
from offside_unlearn.methods._paths import PathSearch
from offside_unlearn.methods.mip_editor import Config, Method
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
FULL = RunOptions(device="cpu", full=True)
RUN = {"max_steps": 2, "batch_size": 2, "lr": 1e-3, "retain_ratio": 1}
OUTGOING = {
    "language": r"(language_model|text_model)\.layers\.\d+\.mlp\.down_proj$",
    "vision": r"visual\.blocks\.\d+\.mlp\.(down_proj|fc2|linear_fc2)$",
}


def modules_of(model: Any, tower: str) -> list[torch.nn.Module]:
    return [module for name, module in model.named_modules() if re.search(OUTGOING[tower], name)]


class Started:
    """The method after its paths were found and blocked, with the trained weights moved away from there."""

    def __init__(
        self, loaded: tuple[Any, Any], make_plan: Plans, *, config_of: str = "multimodal", **config: Any
    ) -> None:
        model, processor = loaded
        self.start = copy.deepcopy(model).eval()
        self.method = Method(Config(**config))
        self.model = unfreeze(model, self.method.trains(model)).eval()
        self.plan = make_plan(processor, batch_size=3, config=config_of)
        self.reference = references.of(self.model, self.method.needs(), examples_of(self.plan), preparation(self.plan))
        self.method.begin(self.model, self.plan, 3)
        self.batch = next(self.plan.batches())

    def move(self) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))

    def loss(self) -> Any:
        return self.method.loss(self.model, self.batch, self.reference)


def examples_of(plan: BatchPlan) -> dict[str, Any]:
    return {side: source.examples for side, source in plan.sources.items()}


def preparation(plan: BatchPlan) -> Preparation:
    return Preparation(collator=plan.collator, batch_size=4, fresh_adapter=False, changing_pictures=False, folder=None)


def states_of(model: Any, side: Side, layer: int) -> list[list[float]]:
    """Hidden states after a layer, as `transformers` gives them itself, where an answer's tokens are predicted."""
    with torch.no_grad():
        inputs = model_inputs(model, Batch(side.inputs))
        output = model(**inputs, use_cache=False, output_hidden_states=True)
    states, chosen = output.hidden_states[layer + 1].double().tolist(), []
    for row, labels in zip(states, side.inputs["labels"].tolist(), strict=True):
        chosen += [row[place - 1] for place, label in enumerate(labels) if place and label != -100]
    return chosen


def distance(states: list[list[float]], wanted: list[list[float]]) -> float:
    each = [
        sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one)
        for one, other in zip(states, wanted, strict=True)
    ]
    return sum(each) / len(each)


@pytest.mark.parametrize(("depth", "layer"), [(0.2, 1), (0.5, 2)])
def test_the_states_are_led_as_far_as_they_were_long_and_held_elsewhere(
    fresh: Fresh, make_plan: Plans, depth: float, layer: int
) -> None:
    run = Started(fresh(), make_plan, depth=depth, steering_coeff=1.7, gamma=0.6, points=1, top_k=2)
    run.move()
    output = run.loss()
    direction = run.method.state["direction"].double().tolist()
    frozen = states_of(run.start, run.batch.forget, layer)
    points = [[1.7 * sum(v * v for v in state) ** 0.5 * u for u in direction] for state in frozen]
    forget = distance(states_of(run.model, run.batch.forget, layer), points)
    retain = distance(*(states_of(model, run.batch.retain, layer) for model in (run.model, run.start)))
    assert retain > 1e-4
    assert output.terms["forget_misdirection"].item() == pytest.approx(forget, rel=1e-5)
    assert output.terms["retain_distance"].item() == pytest.approx(retain, rel=1e-5)
    assert output.loss.item() == pytest.approx(forget + 0.6 * retain, rel=1e-5)


def test_the_gradient_is_the_losss_in_the_rows_of_the_paths_and_nothing_elsewhere(
    fresh: Fresh, make_plan: Plans
) -> None:
    run = Started(fresh(), make_plan, points=1, top_k=3)
    run.move()
    run.loss().loss.backward()
    confined = {name: p.grad.clone() for name, p in run.model.named_parameters() if p.requires_grad}
    run.model.zero_grad()
    direction = run.method.state["direction"]
    parts = []
    for side in (run.batch.forget, run.batch.retain):
        states, frozen = (grown_states(model, side) for model in (run.model, run.start))
        wanted = frozen.norm(dim=-1, keepdim=True) * direction if side is run.batch.forget else frozen
        parts.append((states - wanted.detach()).square().mean(dim=-1).mean())
    (parts[0] + parts[1]).backward()
    rows = {"language": run.method.state["language"], "vision": run.method.state["vision"]}
    for name, parameter in run.model.named_parameters():
        if parameter.requires_grad:
            tower = "vision" if "visual" in name else "language"
            chosen = torch.zeros(len(parameter), dtype=torch.bool)
            chosen[rows[tower][int(re.search(r"(?:layers|blocks)\.(\d+)\.", name)[1])]] = True
            expected = parameter.grad * chosen.reshape(-1, *[1] * (parameter.dim() - 1))
            scale = float(expected.abs().max())
            assert scale > 0, name
            torch.testing.assert_close(confined[name], expected, rtol=1e-4, atol=1e-5 * scale)
            assert bool(parameter.grad[~chosen].any()), "there is something to confine"


def grown_states(model: Any, side: Side) -> torch.Tensor:
    output = model(**model_inputs(model, Batch(side.inputs)), use_cache=False, output_hidden_states=True)
    labels = side.inputs["labels"]
    return output.hidden_states[2][:, :-1][labels[:, 1:] != -100]


def activations(model: Any, batch: Batch, tower: str) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    handles = [
        module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].flatten(0, -2)))
        for module in modules_of(model, tower)
    ]
    with torch.no_grad():
        forward(model, batch)
    for handle in handles:
        handle.remove()
    return seen


def test_found_neurons_are_silent_at_the_start_and_no_other(fresh: Fresh, make_plan: Plans) -> None:
    run = Started(fresh(), make_plan, points=1)
    for tower in ("language", "vision"):
        assert run.method.state[tower].shape == (4 if tower == "language" else 2, 5)
        for layer, values in enumerate(activations(run.model, run.batch.forget.inputs, tower)):
            silent = {neuron for neuron, column in enumerate(values.T) if not column.any()}
            assert silent == set(run.method.state[tower][layer].tolist()), (tower, layer)
        before = activations(run.start, run.batch.forget.inputs, tower)
        assert all(bool(values.any(dim=0).all()) for values in before)


def test_only_the_weights_of_the_paths_move(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    run = Started(fresh(), make_plan, points=1, depth=0.5)
    state = {name: value.clone() for name, value in run.method.state.items()}
    train(
        run.model,
        make_plan(fresh()[1], steps=2),
        lambda model, batch: run.method.loss(model, batch, run.reference),
        TrainConfig(lr=1e-3, schedule="constant"),
        0,
        Schedule(tmp_path),
        run.method,
    )
    assert all(torch.equal(value, state[name]) for name, value in run.method.state.items()), "not found again"
    moved: dict[tuple[str, int], set[int]] = {}
    start = dict(run.start.named_parameters())
    for name, parameter in run.model.named_parameters():
        changed = {row for row in range(len(parameter)) if not torch.equal(parameter[row], start[name][row])}
        if changed:
            match = re.fullmatch(r".*(layers|blocks)\.(\d+)\.mlp\.(gate|up)_proj\.(weight|bias)", name)
            assert match is not None, f"{name} leads into no neuron of an MLP"
            moved.setdefault(("language" if match[1] == "layers" else "vision", int(match[2])), set()).update(changed)
    assert moved == {
        (tower, layer): set(neurons)
        for tower in ("language", "vision")
        for layer, neurons in enumerate(state[tower].tolist())
    }
    # Layers above that whose states are led get no gradient: there the neurons are blocked and stay so.
    above = run.model.model.language_model.layers[3].mlp.up_proj.weight
    assert not above[state["language"][3]].any()
    below = run.model.model.language_model.layers[2].mlp.up_proj.weight
    assert bool(below[state["language"][2]].any(dim=1).all())


def test_a_run_that_goes_on_blocks_the_paths_that_it_had(
    fresh: Fresh, make_plan: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Started(fresh(), make_plan, points=1)
    model, processor = fresh()
    again = Method(Config(points=1))
    again.state.update(first.method.state)
    monkeypatch.setattr(PathSearch, "find", lambda *_: pytest.fail("what the checkpoint holds isn't found again"))
    again.begin(unfreeze(model, again.trains(model)).eval(), make_plan(processor), 3)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), first.model.parameters(), strict=True))


class KilledError(Exception):
    pass


def test_a_kill_changes_nothing(fresh: Fresh, make_plan: Plans, tmp_path: Path) -> None:
    def attempt(name: str, calls: int = 99) -> tuple[str, list[dict[str, float]]]:
        model, processor = fresh()
        method = Method(Config(points=1, depth=0.5))
        unfreeze(model, method.trains(model)).eval()
        plan = make_plan(processor, steps=4)
        reference = references.of(model, method.needs(), examples_of(plan), preparation(plan))
        left = [calls]

        def objective(model: Any, batch: PairedBatch) -> LossOutput:
            if left[0] == 0:
                raise KilledError
            left[0] -= 1
            return method.loss(model, batch, reference)

        schedule = Schedule(tmp_path / name, checkpoint_seconds=9e9 if name == "undisturbed" else 0)
        torch.rand(len(name))  # Whatever happened before doesn't count.
        history = train(model, plan, objective, TrainConfig(lr=1e-3), 0, schedule, method)
        return weights_digest(model), history

    undisturbed = attempt("undisturbed")
    with pytest.raises(KilledError):
        attempt("disturbed", 2)
    assert attempt("disturbed") == undisturbed


def test_the_direction_is_of_length_one_and_follows_the_seed(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    paths = Started((model, processor), make_plan, points=1).method.state

    def drawn(seed: int) -> torch.Tensor:
        method = Method(Config())
        method.state.update({tower: paths[tower] for tower in ("language", "vision")})
        torch.rand(seed + 1)  # Whatever was drawn before doesn't count.
        method.begin(model, make_plan(processor), seed)
        return method.state["direction"]

    assert drawn(0).norm().item() == pytest.approx(1)
    assert bool((drawn(0) < 0).any()), "from the whole sphere"
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.allclose(drawn(1), drawn(0))


def test_texts_have_no_path_through_the_vision_tower(fresh: Fresh, make_plan: Plans) -> None:
    run = Started(fresh(), make_plan, config_of="text", points=1)
    assert run.method.state.keys() == {"direction", "language"}
    start = dict(run.start.named_parameters())
    assert all(torch.equal(p, start[name]) for name, p in run.model.named_parameters() if "visual" in name)
    run.loss().loss.backward()
    assert all(p.grad is None for name, p in run.model.named_parameters() if "visual" in name)


def test_two_records_of_a_picture_are_never_asked_together(fresh: Fresh, make_plan: Plans, monkeypatch: Any) -> None:
    model, processor = fresh()
    plan, seen = make_plan(processor, batch_size=4), []

    def find(self: PathSearch, model: Any, tower: str, batches: Any) -> torch.Tensor:
        if tower == "vision":
            seen.extend(batches())
        return torch.zeros(4 if tower == "language" else 2, 1, dtype=torch.long)

    monkeypatch.setattr(PathSearch, "find", find)
    method = Method(Config())
    method.begin(unfreeze(model, method.trains(model)).eval(), plan, 0)
    shown = [batch["image_index"].tolist() for batch in seen]
    assert sum(map(len, shown)) == len(plan.sources["forget"].examples) == 6
    assert len(shown) == 2, "three pictures with two records each"
    assert all(len(set(row)) == len(row) for row in shown)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family: str, league: OffsideDataset) -> None:
    rows = list(league.records("multimodal", "forget"))[:2]
    model, processor = build_tiny(family, texts=[f"{row['question']} {row['answer']}" for row in rows], seed=0)
    encoded = [Encoder(processor).encode(row) for row in rows]
    sources = {side: ExampleSource(encoded, Stream(encoded, seed=0, name=side), 2) for side in ("forget", "retain")}
    plan = BatchPlan(sources, steps=1, accumulation=1, collator=Collator(processor))
    method = Method(Config(points=1, top_k=2))
    unfreeze(model, method.trains(model)).eval()
    reference = references.of(model, method.needs(), examples_of(plan), preparation(plan))
    method.begin(model, plan, 0)
    batch = next(plan.batches())
    caught: dict[str, torch.Tensor] = {}
    handles = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: caught.update({name: inputs[0]}))
        for name, module in model.named_modules()
        if re.search(r"\.\d+\.mlp\.(down_proj|fc2|linear_fc2)$", name)
    ]
    output = method.loss(model, batch, reference)
    for handle in handles:
        handle.remove()
    blocked = 0
    for tower in ("language", "vision"):
        names = [
            name for name in caught if bool(re.search(r"language_model|text_model", name)) == (tower == "language")
        ]
        # A vision tower may have layers that nothing reads.
        for name, neurons in zip(names, method.state[tower].tolist(), strict=False):
            on_path = [neuron for neuron in neurons if neuron >= 0]
            assert not caught[name][..., on_path].any(), name
            blocked += len(on_path)
    assert blocked >= 2 * 4
    output.loss.backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def test_it_runs_from_the_command_and_says_what_it_does_not_do(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    config = {**RUN, "points": 1}
    run = unlearn("mip_editor", tiny, None, league, "selective", config, tmp_path / "run", FULL)
    training = run.manifest.training
    assert training is not None
    assert training.reference == "kept weights"
    assert {tower: row["modules"] for tower, row in training.trained_parts.items() if row["modules"]} == {
        "language": 2 * 2,
        "vision": 2 * 2,
    }
    assert load_model(run.path, device="cpu") is not None
    with pytest.raises(UsageError, match="no adapter can hold that: use --full"):
        unlearn("mip_editor", tiny, None, league, "selective", config, tmp_path / "no", RunOptions(device="cpu"))
    vision = RunOptions(device="cpu", full=True, tune="vision")
    with pytest.raises(UsageError, match="--tune vision: this method itself says what is trained"):
        unlearn("mip_editor", tiny, None, league, "selective", config, tmp_path / "no", vision)
    assert not (tmp_path / "no").exists()


def test_without_a_weight_what_must_stay_is_not_read(fresh: Fresh, make_plan: Plans) -> None:
    assert not Method(Config(gamma=0)).needs().retain
    run = Started(fresh(), make_plan, gamma=0.0, points=1)
    assert run.loss().terms.keys() == {"forget_misdirection"}
    with pytest.raises(Exception, match="wasn't prepared"):
        run.method.loss(run.model, run.batch, ReferenceModel())


@pytest.mark.parametrize(
    "wrong", [{"top_k": 0}, {"points": 0}, {"depth": 1.5}, {"steering_coeff": -1.0}, {"gamma": -0.1}]
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
