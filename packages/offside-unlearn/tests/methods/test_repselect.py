from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import RecordError, UsageError
from offside_data.vlm import build_tiny, load_model
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import model_inputs
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods.repselect import Config, Method, collapsed
from offside_unlearn.tune import unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
FULL = RunOptions(device="cpu", full=True)
MLP = r"model\.language_model\.layers\.\d\.mlp\.(gate|up|down)_proj"


def layers(model: Any) -> dict[str, torch.nn.Linear]:
    return {name: module for name, module in model.named_modules() if re.fullmatch(MLP, name)}


def summed_nll(model: Any, plan: BatchPlan, numbers: list[int], side: str = "forget") -> tuple[torch.Tensor, int]:
    """Of these records' answers, record by record, so that nothing is padded; and how many tokens they have."""
    total, tokens = torch.zeros(()), 0
    for number in numbers:
        batch = plan.collator([plan.sources[side].examples[number]])
        logits = model(**model_inputs(model, batch)).logits[0]
        labels = batch["labels"][0, 1:]
        total = total + torch.nn.functional.cross_entropy(logits[:-1], labels, ignore_index=-100, reduction="sum")
        tokens += int((labels != -100).sum())
    return total, tokens


def gradients_by_hand(model: Any, plan: BatchPlan, numbers: list[int]) -> dict[str, torch.Tensor]:
    """Of the mean NLL of these records' answers, by each MLP weight."""
    model.zero_grad()
    total, tokens = summed_nll(model, plan, numbers)
    (total / tokens).backward()
    return {name: layer.weight.grad.clone() for name, layer in layers(model).items()}


def drawn_by_hand(name: str, seed: int, rank: int, inputs: int) -> torch.Tensor:
    digest = hashlib.sha256(json.dumps([seed, "repselect", name]).encode()).digest()
    number = random.Random(int.from_bytes(digest[:16], "big")).getrandbits(63)
    drawn = torch.rand(rank, inputs, generator=torch.Generator().manual_seed(number))
    return (2 * drawn - 1) / math.sqrt(inputs)


@pytest.fixture
def model_and_plan(fresh: Fresh, make_plan: Plans) -> tuple[Any, BatchPlan]:
    model, processor = fresh()
    return unfreeze(model, MLP).eval(), make_plan(processor, batch_size=4)


def begun(model: Any, plan: BatchPlan, seed: int = 0, **config: Any) -> Method:
    method = Method(Config(**config))
    method.begin(model, plan, seed)
    return method


# -------------------------------------------------------------------------------------------------
# Collapse


def planted(strengths: list[float], shape: tuple[int, int] = (7, 5)) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A matrix of these singular values, and its directions."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=generator).double())[0] for n in shape)
    left, right = left[:, : len(strengths)], right[:, : len(strengths)]
    return left @ torch.diag(torch.tensor(strengths).double()) @ right.T, left, right


@pytest.mark.parametrize(
    ("sides", "after"),
    [
        ("inputs", [2.0, 2.0, 2.0, 1.5, 1.0]),
        ("outputs", [2.0, 2.0, 2.0, 1.5, 1.0]),
        ("both", [0.5, 1.0, 2.0, 1.5, 1.0]),
        ("none", [8.0, 4.0, 2.0, 1.5, 1.0]),
    ],
)
def test_the_strongest_directions_are_collapsed_and_the_others_stay(sides: str, after: list[float]) -> None:
    """Of 8, 4 and 2 on one side 2, 2 and 2 are left, on both sides 2 * 2/8, 2 * 2/4 and 2."""
    gradient, left, right = planted([8.0, 4.0, 2.0, 1.5, 1.0])
    expected = left @ torch.diag(torch.tensor(after).double()) @ right.T
    torch.testing.assert_close(collapsed(gradient, 0.6, sides), expected, rtol=1e-9, atol=1e-9)


def test_directions_without_strength_do_not_count() -> None:
    """A gradient of two tokens has two: with three collapsed onto the third, nothing would be left of it."""
    gradient, left, right = planted([4.0, 1.0])
    expected = left @ torch.diag(torch.tensor([0.25, 1.0]).double()) @ right.T
    torch.testing.assert_close(collapsed(gradient, 1.0, "both"), expected, rtol=1e-9, atol=1e-9)
    nothing = torch.zeros(3, 4)
    assert torch.equal(collapsed(nothing, 0.5, "both"), nothing)


# -------------------------------------------------------------------------------------------------
# Elicitation and gradient


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_gradient_is_that_of_all_answers_whatever_the_batches(
    fresh: Fresh, make_plan: Plans, batch_size: int
) -> None:
    model, processor = fresh()
    unfreeze(model, MLP).eval()
    plan = make_plan(processor, batch_size=batch_size)
    before = copy.deepcopy(model.state_dict())
    method = begun(model, plan, elicit_rate=0.0, collapse="none")
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    expected = gradients_by_hand(model, plan, list(range(6)))
    assert method._gradient.keys() == expected.keys()
    for name, gradient in method._gradient.items():
        torch.testing.assert_close(gradient, -expected[name], rtol=1e-4, atol=1e-6)


def elicited_by_hand(model: Any, plan: BatchPlan, rate: float, rank: int, seed: int) -> dict[str, torch.Tensor]:
    """The MLP weights with the adapter in them, after one pass over the forget set in the training's order."""
    start = {name: layer.weight.detach().clone() for name, layer in layers(model).items()}
    down = {name: drawn_by_hand(name, seed, rank, weight.shape[1]) for name, weight in start.items()}
    up = {name: torch.zeros(weight.shape[0], rank) for name, weight in start.items()}
    source = plan.sources["forget"]
    order = source.stream.take(0, 6)
    for numbers in (order[:4], order[4:]):
        gradients = gradients_by_hand(model, plan, numbers)
        for name, layer in layers(model).items():
            by_up, by_down = gradients[name] @ down[name].T, up[name].T @ gradients[name]
            up[name] = up[name] - rate * by_up
            down[name] = down[name] - rate * by_down
            with torch.no_grad():
                layer.weight.copy_(start[name] + up[name] @ down[name])
    return {name: up[name] @ down[name] for name in start}


def test_the_gradient_is_the_elicited_models(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    copied = copy.deepcopy(model)
    added = elicited_by_hand(copied, plan, 3.0, 4, seed=5)
    assert all(float(change.abs().max()) > 1e-3 for change in added.values())
    expected = gradients_by_hand(copied, plan, list(range(6)))
    plain = gradients_by_hand(copy.deepcopy(model), plan, list(range(6)))
    method = begun(model, plan, 5, elicit_rate=3.0, elicit_rank=4, collapse="none")
    for name, gradient in method._gradient.items():
        torch.testing.assert_close(gradient, -expected[name], rtol=1e-3, atol=1e-5)
        assert float((gradient + plain[name]).abs().max()) > 1e-3, "without elicitation it is another"


def test_it_collapses_what_it_follows(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    whole, both = (begun(model, plan, collapse=sides)._gradient for sides in ("none", "both"))
    for name, gradient in whole.items():
        count = max(1, round(0.125 * min(gradient.shape)))
        left, strengths, right = torch.linalg.svd(gradient.double(), full_matrices=False)
        now = left.T @ both[name].double() @ right.T
        wanted = torch.cat([strengths[count - 1] ** 2 / strengths[:count], strengths[count:]])
        torch.testing.assert_close(now.diagonal(), wanted, rtol=1e-2, atol=1e-4 * float(strengths[0]))
        assert float(strengths[0]) > 3 * float(wanted[0])


def test_answers_of_which_none_counts_are_an_error(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    for example in plan.sources["forget"].examples:
        example.labels[:] = [-100] * len(example.labels)
    for rate in (0.0, 0.01):
        with pytest.raises(RecordError, match="no answer token"):
            begun(model, plan, elicit_rate=rate)


# -------------------------------------------------------------------------------------------------
# Steps and budget


def kl_by_hand(model: Any, start: Any, plan: BatchPlan) -> float:
    """Mean over the retained answers' tokens, from whole distributions."""
    total, tokens = 0.0, 0
    for example in plan.sources["retain"].examples:
        batch = plan.collator([example])
        at = [place - 1 for place, label in enumerate(example.labels) if label != -100]
        with torch.no_grad():
            p, q = (m(**model_inputs(m, batch)).logits[0][at].double().log_softmax(-1) for m in (start, model))
        total += float((p.exp() * (p - q)).sum())
        tokens += len(at)
    return total / tokens


def test_steps_end_where_the_budget_does(
    model_and_plan: tuple[Any, BatchPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    model, plan = model_and_plan
    start = copy.deepcopy(model)
    free = begun(model, plan, step_size=3.0, kl_budget=1e9, top_k=10**6)
    costs = []
    for step in (1, 2, 3):
        said = free.edit(model, step)
        assert said["steps_taken"] == step
        costs.append(said["retain_kl"])
        assert costs[-1] == pytest.approx(kl_by_hand(model, start, plan), rel=1e-3)
        for name, layer in layers(model).items():
            expected = layers(start)[name].weight - step * 3.0 * free._gradient[name]
            torch.testing.assert_close(layer.weight, expected, rtol=1e-6, atol=1e-7)
    assert costs == sorted(costs)
    assert costs[0] > 0
    model.load_state_dict(start.state_dict())
    tight = begun(model, plan, step_size=3.0, kl_budget=(costs[1] + costs[2]) / 2, top_k=10**6)
    said = [tight.edit(model, step) for step in (1, 2)]
    two = copy.deepcopy(model.state_dict())
    said += [tight.edit(model, step) for step in (3, 4)]
    assert [entry["steps_taken"] for entry in said] == [1, 2, 2, 2]
    assert [entry["retain_kl"] for entry in said] == pytest.approx([costs[0], costs[1], costs[1], costs[1]])
    assert all(torch.equal(value, two[name]) for name, value in model.state_dict().items())
    assert capsys.readouterr().err.count("step 3 isn't taken") == 1


def test_a_first_step_beyond_the_budget_is_an_error(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    before = copy.deepcopy(model.state_dict())
    method = begun(model, plan, step_size=1e4)
    with pytest.raises(UsageError, match=r"one step of step_size=10000 .* more than kl_budget=0.01"):
        method.edit(model, 1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_budget_is_measured_on_few_records_drawn_by_seed(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan

    def watched(seed: int) -> list[str]:
        kept = begun(model, plan, seed, elicit_rate=0.0, collapse="none", kl_records=5)._kept
        assert kept is not None
        return [record for side in kept.batches() for record in side.record_ids]

    first = watched(0)
    assert len(set(first)) == len(first) == 5
    assert watched(0) == first
    assert any(watched(seed) != first for seed in (1, 2))


# -------------------------------------------------------------------------------------------------
# Runs


def test_a_run_makes_the_forgotten_answers_unlikely_in_the_mlps_alone(
    tiny: Path, league: OffsideDataset, tmp_path: Path, make_plan: Plans, loaded: tuple[Any, Any]
) -> None:
    config = {"max_steps": 3, "batch_size": 4, "step_size": 0.1, "kl_budget": 1.0}
    run = unlearn("repselect", tiny, None, league, "complete", config, tmp_path / "run", FULL, curve_steps=(1, 3))
    training = run.manifest.training
    assert training is not None
    assert training.reference is None
    assert [(entry["step"], entry["steps_taken"]) for entry in training.loss_history] == [(1, 1), (2, 2), (3, 3)]
    assert "lr" not in run.manifest.config
    models = [load_model(p, device="cpu") for p in (tiny, run.path / "curve" / "step-000001", run.path)]
    plan = make_plan(loaded[1])
    nlls = [summed_nll(model, plan, list(range(6)))[0].item() for model in models]
    assert nlls[0] < nlls[1] < nlls[2]
    start, last = (dict(model.named_parameters()) for model in (models[0], models[2]))
    moved = {name for name, parameter in last.items() if not torch.equal(parameter, start[name])}
    assert moved == {name for name in start if re.fullmatch(MLP + r"\.weight", name)}
    again = unlearn("repselect", tiny, None, league, "complete", config, tmp_path / "again", FULL)
    assert all(torch.equal(p, last[name]) for name, p in load_model(again.path, device="cpu").named_parameters())


def test_what_it_cannot_do_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def refused(options: RunOptions, **config: Any) -> Any:
        return unlearn("repselect", tiny, None, league, "complete", config, tmp_path / "run", options)

    with pytest.raises(UsageError, match="no adapter can hold that: use --full"):
        refused(RunOptions(device="cpu"))
    with pytest.raises(UsageError, match="--tune vision: this method itself says what is trained"):
        refused(RunOptions(device="cpu", full=True, tune="vision"))
    with pytest.raises(UsageError, match="Take smaller steps"):
        refused(FULL, step_size=1e4)
    assert not (tmp_path / "run").exists()


def test_a_model_that_eliciting_breaks_is_an_error(model_and_plan: tuple[Any, BatchPlan]) -> None:
    model, plan = model_and_plan
    with pytest.raises(UsageError, match="smaller elicit_rate than 1e\\+30"):
        begun(model, plan, elicit_rate=1e30)


def test_it_works_on_text_alone(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = unlearn("repselect", tiny, None, league, "unimodal", {"kl_budget": 1.0}, tmp_path / "run", FULL)
    assert run.manifest.training is not None
    assert run.manifest.training.loss_history[-1]["steps_taken"] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family: str, league: OffsideDataset, make_plan: Plans) -> None:
    texts = [f"{row['question']} {row['answer']}" for row in league.records("multimodal", "forget")]
    model, processor = build_tiny(family, texts=texts, seed=0)
    method = Method(Config(kl_budget=10.0))
    unfreeze(model, method.trains(model)).eval()
    start = {name: parameter.clone() for name, parameter in model.named_parameters()}
    method.begin(model, make_plan(processor), 0)
    assert method.edit(model, 1)["retain_kl"] > 0
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, start[name])}
    assert moved == {name for name in start if re.search(r"(language|text)_model\.layers\.\d+\.mlp\..*weight$", name)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_size": 0},
        {"kl_budget": 0},
        {"elicit_rate": -1},
        {"elicit_rank": 0},
        {"kl_records": 0},
        {"top_k": 0},
        {"components": 0},
        {"components": 1.1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
