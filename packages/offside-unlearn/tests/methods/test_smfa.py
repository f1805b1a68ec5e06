from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import forward, load_model
from offside_data.vlm.digest import weights_digest
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.methods import LossOutput
from offside_unlearn.methods.smfa import Config, Method, harmful_entries
from offside_unlearn.reference import ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]
Weights = dict[str, torch.Tensor]
CONFIG = {"max_steps": 3, "batch_size": 2, "lr": 1e-3, "schedule": "constant", "few": 5, "anchor_steps": 2}


def trained(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def weights(model: Any) -> Weights:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def trainable(model: Any, lora: bool) -> Any:
    torch.manual_seed(0)
    options = LoraOptions(lora_dropout=0.0)
    return (add_adapter(model, "language", options) if lora else unfreeze(model, "language")).eval()


def sculpted_by_hand(forgetting: list[list[float]], anchor: list[list[float]], k: float) -> list[list[float]]:
    """Entry by entry."""

    def norm(rows: list[list[float]]) -> float:
        return math.sqrt(sum(value**2 for row in rows for value in row))

    rho = norm(forgetting) / norm(anchor)
    return [
        [0.0 if f * a < 0 and abs(f) > k * rho * abs(a) else f for f, a in zip(one, other, strict=True)]
        for one, other in zip(forgetting, anchor, strict=True)
    ]


def test_an_entry_goes_if_its_sign_is_the_other_and_it_outweighs_the_anchor() -> None:
    #                          same sign, against and heavy, against and light, no anchor, the other way round
    forgetting = torch.tensor([[3.0, 3.0, 0.2, -5.0, -1.0]])
    anchor = torch.tensor([[0.1, -0.1, -0.1, 0.0, 0.1]])
    rho = math.sqrt(9 + 9 + 0.04 + 25 + 1) / 0.2
    assert 1.0 < 0.5 * rho * 0.1 < 3.0
    assert harmful_entries(forgetting, anchor, 0.5).tolist() == [[False, True, False, False, False]]
    assert harmful_entries(forgetting, anchor, 0.1).tolist() == [[False, True, False, False, True]]
    assert harmful_entries(forgetting, anchor, 2.0).tolist() == [[False] * 5], "the larger k, the less goes"
    assert harmful_entries(forgetting, anchor, 0.0).tolist() == [[False, True, True, False, True]], "signs alone"
    # The ratio of the norms makes up for changes of another size, however small.
    for size in (1e-3, 1e3, 1e-15):
        assert harmful_entries(forgetting * size, anchor / size, 0.5).tolist() == [[False, True, False, False, False]]


class Started:
    """The method after its anchor was learnt, with what is trained moved at random."""

    def __init__(self, loaded: tuple[Any, Any], make_plan: Plans, *, lora: bool, **config: Any) -> None:
        model, processor = loaded
        self.model = trainable(model, lora)
        self.method = Method(Config(**{"anchor_steps": 2, "few": 4, "anchor_lr": 1e-2, **config}))
        self.plan = make_plan(processor, method=self.method)
        self.start = weights(self.model)
        self.method.begin(self.model, self.plan, 0)

    def move(self) -> Weights:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in trained(self.model).values():
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        return weights(self.model)


def anchor_by_hand(model: Any, plan: BatchPlan, steps: int, lr: float) -> Weights:
    """AdamW after `transformers`' own loss: shifted labels, mean over all that aren't ignored."""
    model, source = copy.deepcopy(model), plan.sources["retain"]
    optimizer = torch.optim.AdamW(list(trained(model).values()), lr=lr, weight_decay=0)
    for step in range(steps):
        batch = plan.collator([source.examples[i] for i in source.stream.take(2 * step, 2)])
        labels = batch["labels"][:, 1:].reshape(-1)
        logits = forward(model, batch).logits[:, :-1].reshape(len(labels), -1)
        torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100).backward()
        torch.nn.utils.clip_grad_norm_(list(trained(model).values()), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return weights(model)


@pytest.mark.parametrize("lora", [False, True])
def test_the_anchor_is_what_the_few_records_teach(fresh: Fresh, make_plan: Plans, lora: bool) -> None:
    run = Started(fresh(), make_plan, lora=lora)
    assert len(run.plan.sources["retain"].examples) == 4
    expected = anchor_by_hand(run.model, run.plan, 2, 1e-2)
    assert run.method.state.keys() == trained(run.model).keys()
    learnt = 0
    for name, seen in run.method.state.items():
        torch.testing.assert_close(seen, expected[name], rtol=1e-3, atol=1e-4)
        learnt += int((seen != run.start[name]).sum())
    assert learnt > 1000
    # The model is as it was, and a run that goes on doesn't learn it again.
    assert all(torch.equal(value, run.start[name]) for name, value in weights(run.model).items())
    assert all(parameter.grad is None for parameter in run.model.parameters())
    again = Method(run.method.config)
    again.state.update(run.method.state)
    again._learn_anchor = lambda *_: pytest.fail("learnt again")  # type: ignore[method-assign]
    again.begin(run.model, run.plan, 0)


@pytest.mark.parametrize("steps", [1, 3])
def test_an_anchor_that_broke_is_an_error(steps: int, fresh: Fresh, make_plan: Plans) -> None:
    """Of one step, or on the way."""
    with pytest.raises(UsageError, match=r"after 1 step the anchor's loss is nan.* smaller anchor_lr than 1e\+30"):
        Started(fresh(), make_plan, lora=True, anchor_lr=1e30, anchor_steps=steps)


def test_it_teaches_refusals_and_what_must_stay(harness: Any) -> None:
    refusal, retain = harness.cross_entropy(harness.batch.refusal), harness.cross_entropy(harness.batch.retain)
    output = harness.loss("smfa", lambda_r=0.5)
    assert output.loss.item() == pytest.approx(refusal + 0.5 * retain, rel=1e-5)
    assert output.terms["refusal_ce"].item() == pytest.approx(refusal, rel=1e-5)
    assert refusal != pytest.approx(harness.cross_entropy(harness.batch.forget))


def test_of_the_models_own_weights_what_goes_against_the_anchor_is_taken_back(fresh: Fresh, make_plan: Plans) -> None:
    run = Started(fresh(), make_plan, lora=False, k=0.7)
    learnt = run.move()
    run.method.finish(run.model)
    dropped = 0
    for name, after in weights(run.model).items():
        if name not in run.method.state:
            assert torch.equal(after, run.start[name]), name
            continue
        change, anchor = (value.double() - run.start[name].double() for value in (learnt[name], run.method.state[name]))
        flat = [value.reshape(len(value), -1).tolist() for value in (change, anchor)]
        wanted = torch.tensor(sculpted_by_hand(*flat, 0.7)).reshape(change.shape)
        taken_back = after == run.start[name]
        # But for entries at the edge, which rounding moves.
        assert float((taken_back != (wanted == 0)).double().mean()) < 1e-4, name
        assert torch.equal(after[~taken_back], learnt[name][~taken_back])
        dropped += int(taken_back.sum())
    assert dropped > 1000


def test_of_an_adapter_it_is_the_product_that_is_sculpted(fresh: Fresh, make_plan: Plans) -> None:
    run = Started(fresh(), make_plan, lora=True, k=0.7)
    learnt = run.move()
    run.method.finish(run.model)
    after = weights(run.model)
    dropped = 0
    for name in [name for name in after if name.endswith(".base_layer.weight")]:
        place = name.removesuffix(".base_layer.weight")
        names = [f"{place}.lora_{part}.default.weight" for part in "BA"]
        forgetting, anchor = (
            (32 / 8 * values[names[0]].double() @ values[names[1]].double()).tolist()
            for values in (learnt, run.method.state)
        )
        wanted = torch.tensor(sculpted_by_hand(forgetting, anchor, 0.7), dtype=torch.float64)
        seen = after[name].double() - run.start[name].double()
        off = (seen - wanted).abs() > 1e-5
        assert float(off.double().mean()) < 1e-4, place
        dropped += int((wanted == 0).sum())
        assert not after[names[0]].any(), "the adapter is empty"
    assert dropped > 1000
    # Training goes on from the weights below the adapter as they were.
    batch = next(run.plan.batches())
    run.method.loss(run.model, batch, ReferenceModel())
    assert all(torch.equal(value, run.start[n]) for n, value in weights(run.model).items() if "base_layer" in n)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("lora", [False, True])
def test_points_of_a_curve_and_a_kill_change_nothing(
    fresh: Fresh, make_plan: Plans, tmp_path: Path, lora: bool
) -> None:
    def attempt(
        name: str, *, calls: int = 99, points: tuple[int, ...] = (), steps: int = 3
    ) -> tuple[str, dict[int, str]]:
        model, processor = fresh()
        model = trainable(model, lora)
        method = Method(Config(anchor_steps=2, few=4, k=0.7, anchor_lr=1e-2))
        plan = make_plan(processor, method=method, steps=steps)
        torch.rand(len(name))  # Whatever happened before doesn't count.
        left, found = [calls], {}

        def objective(model: Any, batch: PairedBatch) -> LossOutput:
            if left[0] == 0:
                raise KilledError
            left[0] -= 1
            return method.loss(model, batch, ReferenceModel())

        def save(model: Any, step: int) -> None:
            found[step] = weights_digest(model)

        seconds = 0 if name == "disturbed" else 9e9
        schedule = Schedule(tmp_path / name, checkpoint_seconds=seconds, save_at=points, save=save)
        train(model, plan, objective, TrainConfig(lr=1e-3, schedule="constant"), 0, schedule, method)
        assert not method._replaced, "a copy of the weights below the adapter outlives the training"
        return weights_digest(model), found

    undisturbed = attempt("undisturbed")[0]
    with pytest.raises(KilledError):
        attempt("disturbed", calls=2, points=(1,))
    digest, found = attempt("disturbed", points=(2, 3))
    assert digest == undisturbed
    assert found == {2: attempt("two", steps=2)[0], 3: undisturbed}


@pytest.mark.parametrize("full", [False, True])
def test_what_is_saved_is_a_whole_model(full: bool, tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", full=full)
    run = unlearn("smfa", tiny, None, league, "complete", CONFIG, tmp_path / "run", options, curve_steps=(2, 3))
    content = run.manifest.to_json()
    assert content["adapter"] is None
    assert content["base_model"]["path"] == str(tiny)
    assert content["retain"] == {"multimodal/retain": 5}
    assert content["config"].get("r") == (None if full else 8)
    assert not (run.path / "adapter_config.json").exists()
    start = dict(load_model(tiny, device="cpu").named_parameters())
    for folder in (run.path, run.path / "curve" / "step-000002"):
        after = dict(load_model(folder, device="cpu").named_parameters())
        assert after.keys() == start.keys()
        moved = {name for name, value in after.items() if not torch.equal(value, start[name])}
        assert moved
        assert full or all(".language_model." in name for name in moved)
    last = weights_digest(load_model(run.path, device="cpu"))
    assert last == weights_digest(load_model(run.path / "curve" / "step-000003", device="cpu"))
    assert last != weights_digest(load_model(run.path / "curve" / "step-000002", device="cpu"))
    # It can be unlearned from as any other model.
    further = unlearn("grad_diff", run.path, None, league, "complete", {"max_steps": 1}, tmp_path / "further", options)
    assert further.manifest.to_json()["base_model"]["path"] == str(run.path)


@pytest.mark.parametrize(
    "wrong", [{"k": -1.0}, {"few": 0}, {"anchor_steps": 0}, {"anchor_lr": 0.0}, {"lambda_r": -1.0}]
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
