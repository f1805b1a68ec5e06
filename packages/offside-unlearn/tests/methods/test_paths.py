"""Paths of neurons, on a model that a person can follow and on a whole one, against computations of their own."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_data.errors import RecordError, UsageError
from offside_data.vlm import Batch, Output
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods._paths import PathSearch, Walk
from offside_unlearn.tune import unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
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
