from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import RecordError, UsageError
from offside_data.vlm import Batch, Collator, Encoder, Output, build_tiny, forward, load_model
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, ExampleSource, Side, Stream
from offside_unlearn.methods._paths import PathSearch, Walk
from offside_unlearn.methods.mip_editor import Config, Method
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
FULL = RunOptions(device="cpu", full=True)
RUN = {"max_steps": 2, "batch_size": 2, "lr": 1e-3, "retain_ratio": 1}
POINTS = 3
OUTGOING = {
    "language": r"(language_model|text_model)\.layers\.\d+\.mlp\.down_proj$",
    "vision": r"visual\.blocks\.\d+\.mlp\.(down_proj|fc2|linear_fc2)$",
}


# A model that a person can follow: two layers, whose neurons add to the logits what stands here.
class Mlp(torch.nn.Module):
    def __init__(self, given: list[float], outgoing: list[list[float]]) -> None:
        super().__init__()
        self.up_proj = torch.nn.Linear(1, len(given), bias=False)
        self.down_proj = torch.nn.Linear(len(given), 2, bias=False)
        self.up_proj.weight.data = torch.tensor(given).unsqueeze(1)
        self.down_proj.weight.data = torch.tensor(outgoing)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.up_proj(states))


class Toy(torch.nn.Module):
    """Neurons of the first layer have the activations `first`, those of the second `second`, whatever comes in.

    Two logits a position; the second neuron of a layer, say, adds `outgoing[0][1]` times its activation to the first.
    """

    config = SimpleNamespace(model_type="toy")

    def __init__(self, *layers: tuple[list[float], list[list[float]]]) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for layer in layers:
            part = torch.nn.Module()
            part.mlp = Mlp(*layer)
            self.layers.append(part)

    def get_decoder(self) -> Toy:
        return self

    def forward(self, shape: torch.Size) -> torch.Tensor:
        return sum(layer.mlp(torch.ones(*shape, 1)) for layer in self.layers)


@pytest.fixture
def toy_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Iterator[Batch]]:
    """One record that answers with the first of two tokens."""
    labels = torch.tensor([[-100, 0]])

    def given(model: Toy, inputs: Batch, *, keep: str) -> Output:
        return Output(model(labels.shape), inputs["labels"])

    monkeypatch.setattr("offside_unlearn.methods._paths.forward", given)
    return lambda: iter([Batch(labels=labels)])


def found(toy: Toy, answered: Any, *, squared: bool = False, points: int = 50, top_k: int = 1) -> list[list[int]]:
    search = PathSearch(points=points, top_k=top_k, squared=squared)
    return search.find(toy, "language", answered).tolist()


def probability(logit: float) -> float:
    return 1 / (1 + 2.718281828459045**-logit)


def test_a_score_is_the_integral_by_hand(toy_answers: Any) -> None:
    """Both neurons have the activation 2, and their ways to the logit are 1 and 0.5."""
    toy = Toy(([2.0, 2.0], [[1.0, 0.5], [0.0, 0.0]]))
    for squared in (False, True):
        seen = PathSearch(points=4, top_k=1, squared=squared).scores(
            toy, Walk([toy.layers[0].mlp.down_proj]), toy_answers()
        )
        expected = []
        for way in (1.0, 0.5):
            total = 0.0
            for step in (1, 2, 3, 4):
                p = probability(step / 4 * (2 * 1.0 + 2 * 0.5))
                total += ((1 - p) * way) ** 2 if squared else p * (1 - p) * way
            expected.append(2.0 * total / 4)
        assert seen is not None
        assert seen.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_path_scores_with_what_it_has_come_through(toy_answers: Any) -> None:
    """(w1 + w2) times the sum of both slopes, while the first layer's other neuron stays where it is."""
    toy = Toy(([1.0, 1.0], [[2.0, 0.3], [0.0, 0.0]]), ([1.5, 3.0], [[1.0, -0.2], [0.0, 0.0]]))
    walk = Walk([layer.mlp.down_proj for layer in toy.layers], path=[0])
    seen = PathSearch(points=2, top_k=1, squared=False).scores(toy, walk, toy_answers())
    expected = []
    for activation, way in ((1.5, 1.0), (3.0, -0.2)):
        total = 0.0
        for share in (0.5, 1.0):
            p = probability(0.3 * 1.0 + share * (2.0 * 1.0 + 1.0 * 1.5 - 0.2 * 3.0))
            total += p * (1 - p) * (2.0 + way)
        expected.append((1.0 + activation) * total / 2)
    assert seen is not None
    assert seen.tolist() == pytest.approx(expected, rel=1e-5)


def test_what_is_found_is_what_the_answer_hangs_on(toy_answers: Any) -> None:
    """Neither the most active neuron nor the one with the most weight: they lead to both logits, or are silent."""
    active, heavy, telling, against = (9.0, [4.0, 4.0]), (0.0, [7.0, 0.0]), (1.0, [3.0, 0.0]), (2.0, [-4.0, 0.0])
    neurons = [active, heavy, telling, against]
    layer = ([n[0] for n in neurons], [[n[1][row] for n in neurons] for row in (0, 1)])
    assert found(Toy(layer), toy_answers) == [[2]]
    # What speaks against the answer counts as well where slopes are squared.
    assert found(Toy(layer), toy_answers, squared=True) == [[3]]
    assert found(Toy(layer), toy_answers, squared=True, top_k=2) == [[3, 2]]


def test_where_the_model_is_certain_the_integral_finds_what_a_gradient_does_not(toy_answers: Any) -> None:
    """With one point both scores vanish in rounding; on the way there the first neuron does the work."""
    certain = Toy(([30.0, 0.01], [[1.0, 1.0], [0.0, 0.0]]))
    walk = Walk([certain.layers[0].mlp.down_proj])
    many, one = (
        PathSearch(points=points, top_k=1, squared=False).scores(certain, walk, toy_answers()) for points in (50, 1)
    )
    assert many is not None
    assert many[0] > 0.3
    assert one is None or one[0] < 1e-9


def test_the_path_so_far_decides_on_the_next_neuron(toy_answers: Any) -> None:
    """By itself the second layer's second neuron scores more; with a steep way below, the more active one does."""
    first = ([0.2, 1.0], [[0.0, 5.0], [0.0, 0.0]])
    second = ([4.0, 1.0], [[0.1, 0.9], [0.0, 0.0]])
    assert found(Toy(second), toy_answers) == [[1]]
    assert found(Toy(first, second), toy_answers) == [[1], [0]]


def test_a_layer_on_which_nothing_hangs_is_on_no_path(toy_answers: Any) -> None:
    idle = ([1.0, 1.0], [[0.0, 0.0], [0.0, 0.0]])
    telling = ([1.0, 2.0], [[1.0, 1.0], [0.0, 0.0]])
    assert found(Toy(idle, telling), toy_answers) == [[-1], [1]]
    with pytest.raises(UsageError, match="no neuron of the language tower has any influence"):
        found(Toy(idle), toy_answers)
    with pytest.raises(UsageError, match="top_k=3: layer 0 of the language tower has 2 neurons"):
        found(Toy(telling), toy_answers, top_k=3)


def test_a_record_without_an_answer_is_an_error(toy_answers: Any) -> None:
    without = [Batch(labels=torch.tensor([[-100, -100]]))]
    with pytest.raises(RecordError, match="no answer token"):
        found(Toy(([1.0], [[1.0], [0.0]])), lambda: iter(without))


# The same on a whole model, computed anew: record by record, so that nothing is padded, by hooks of its own.
def modules_of(model: Any, tower: str) -> list[torch.nn.Module]:
    return [module for name, module in model.named_modules() if re.search(OUTGOING[tower], name)]


@contextlib.contextmanager
def put(modules: list[Any], values: dict[int, Callable[[torch.Tensor], torch.Tensor]]) -> Iterator[None]:
    handles = [
        modules[layer].register_forward_pre_hook(lambda module, inputs, change=change: (change(inputs[0]),))
        for layer, change in values.items()
    ]
    yield
    for handle in handles:
        handle.remove()


def log_likelihood(model: Any, inputs: Batch) -> torch.Tensor:
    logits = model(**model_inputs(model, inputs), use_cache=False).logits[0, :-1].double()
    labels = inputs["labels"][0, 1:]
    rows = torch.log_softmax(logits, dim=-1)
    return sum(rows[place, int(label)] for place, label in enumerate(labels) if label != -100)


def scores_by_hand(model: Any, records: list[Batch], tower: str, path: list[int]) -> torch.Tensor:
    modules, layer, total = modules_of(model, tower), len(path), torch.tensor(0.0)
    for inputs in records:
        own: dict[int, torch.Tensor] = {}

        def keep(at: int, own: dict[int, torch.Tensor] = own) -> Callable[[torch.Tensor], torch.Tensor]:
            return lambda values: own.setdefault(at, values.detach().clone())

        with torch.no_grad(), put(modules, {at: keep(at) for at in range(layer + 1)}):
            log_likelihood(model, inputs)
        slopes = 0.0
        for step in range(1, POINTS + 1):
            leaves = {at: own[at][..., [neuron]] * (step / POINTS) for at, neuron in enumerate(path)}
            leaves[layer] = own[layer] * (step / POINTS)
            for leaf in leaves.values():
                leaf.requires_grad_()

            def replaced(at: int, leaves: dict[int, torch.Tensor] = leaves) -> Callable[[torch.Tensor], torch.Tensor]:
                if at == layer:
                    return lambda values: leaves[at]
                return lambda values: torch.where(torch.arange(values.shape[-1]) == path[at], leaves[at], values)

            with put(modules, {at: replaced(at) for at in leaves}):
                likely = log_likelihood(model, inputs)
            target = likely if tower == "vision" else likely.exp()
            gradients = torch.autograd.grad(target, list(leaves.values()))
            slopes = slopes + sum(g.double() ** 2 if tower == "vision" else g.double() for g in gradients)
        weights = own[layer].double() + sum(own[at][..., [neuron]].double() for at, neuron in enumerate(path))
        total = total + (weights * slopes / POINTS).reshape(-1, weights.shape[-1]).sum(dim=0)
    return total


@pytest.mark.parametrize("tower", ["language", "vision"])
def test_scores_are_those_of_single_records_computed_anew(fresh: Fresh, make_plan: Plans, tower: Any) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    unfreeze(model, "all").eval()
    before = copy.deepcopy(model.state_dict())
    examples = plan.sources["forget"].examples
    singles = [plan.collator([example]) for example in examples]
    walk = Walk(modules_of(model, tower))
    search = PathSearch(points=POINTS, top_k=5, squared=tower == "vision")
    # Records of one picture aren't together, and those that are together differ in length.
    together = [[*examples[::2]], [*examples[1::2]]]
    turned = [part[::-1] for part in reversed(together)]
    assert len({len(example.input_ids) for example in together[0]} | {len(e.input_ids) for e in together[1]}) > 1
    for _ in range(2):
        expected = scores_by_hand(model, singles, tower, walk.path)
        for parts in (together, turned):
            seen = search.scores(model, walk, (plan.collator(part) for part in parts))
            assert seen is not None
            torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
        walk.path.append(int(expected.argmax()))
    found_neurons = search.find(model, tower, lambda: (plan.collator(part) for part in together))
    assert found_neurons.shape == (len(walk.outgoing), 5)
    assert found_neurons[:2, 0].tolist() == walk.path
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


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
