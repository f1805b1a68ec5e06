"""Steering: the direction from recalling to refusing, followed where a prompt looks like those to be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Collator, Encoded, Encoder, build_tiny, forward, read_intervention
from offside_data.vlm.digest import model_digest, weights_digest
from offside_data.vlm.intervention import INTERVENTION, TENSORS
from offside_data.vlm.interventions.steering import Steering
from offside_data.vlm.tiny import FAMILIES
from offside_unlearn import RunOptions, unlearn
from offside_unlearn.batches import BatchPlan, ExampleSource, Stream
from offside_unlearn.methods.steering import Config, Method, lowest_threshold
from offside_unlearn.runs import Run

CPU = RunOptions(device="cpu")
FORGET, STAY, KNOWN, REFUSED, END = 1, 2, 3, 4, 5
"""Words of the model below: what a prompt is about, what may be answered."""


class HandMade(torch.nn.Module):
    """A model whose every number is known: it answers `KNOWN` unless its states say that it refuses.

    A state holds what has been said so far: dimension 0 the recorded answer, 1 the refusal, 2 and 3 what the prompt is
    about, 4 that there is a prompt at all.
    """

    config = SimpleNamespace(model_type="hand_made")

    def __init__(self) -> None:
        super().__init__()
        words = torch.zeros(8, 5)
        for word, place in ((KNOWN, 0), (REFUSED, 1), (FORGET, 2), (STAY, 3)):
            words[word, place] = 1
        words[[FORGET, STAY], 4] = 4
        self.words = torch.nn.Parameter(words)
        layer = torch.nn.Module()
        layer.mlp = torch.nn.Identity()
        layer.forward = lambda states: states.cumsum(1)
        self.layers = torch.nn.ModuleList([layer])

    @property
    def model(self) -> torch.nn.Module:
        return self

    def get_decoder(self) -> torch.nn.Module:
        return self

    def get_image_features(self) -> None: ...

    def forward(self, input_ids: torch.Tensor, logits_to_keep: Any = slice(None), **rest: Any) -> SimpleNamespace:
        states = self.layers[0](self.words[input_ids])
        logits = torch.zeros(*input_ids.shape, 8)
        logits[..., KNOWN] = 0.5 + states[..., 0]
        logits[..., REFUSED] = states[..., 1]
        return SimpleNamespace(logits=logits[:, logits_to_keep])


def said(name: str, about: int, answer: int) -> Encoded:
    ids = [about, 6, 7][: 2 + len(name) % 2]
    return Encoded(name, [*ids, answer, END], [-100] * len(ids) + [answer, END], len(ids))


def by_hand(steps: int = 1) -> BatchPlan:
    """Prompts of two lengths, with both answers."""
    sides = {
        "forget": [said(name, FORGET, KNOWN) for name in ("a", "bb", "ccc")],
        "refusal": [said(name, FORGET, REFUSED) for name in ("a", "bb", "ccc")],
        "retain": [said(name, STAY, KNOWN) for name in ("d", "ee", "fff")],
    }
    sources = {side: ExampleSource(every, Stream(every, seed=0, name=side), 2) for side, every in sides.items()}
    processor = SimpleNamespace(tokenizer=SimpleNamespace(pad_token_id=0, eos_token_id=END))
    return BatchPlan(sources, steps=steps, accumulation=1, collator=Collator(processor))


def first_words(model: Any, plan: BatchPlan, side: str) -> set[int]:
    """What the model answers first to each prompt."""
    found = set()
    for example in plan.sources[side].examples:
        logits = forward(model, plan.collator([example])).logits
        found.add(int(logits[0, example.prompt_length - 1].argmax()))
    return found


def test_the_forgotten_is_refused_and_the_rest_is_answered() -> None:
    """A direction of another sign, another place, or without the gate wouldn't do both."""
    model, plan = HandMade().eval(), by_hand()
    assert first_words(model, plan, "forget") == first_words(model, plan, "retain") == {KNOWN}
    method = Method(Config(depth=0.0, retain_share=0.0))
    method.begin(model, plan, 0)
    log = method.edit(model, 1)
    steering = method.applied
    assert isinstance(steering, Steering)
    assert steering.directions["layers.0"].tolist() == [-1.0, 1.0, 0.0, 0.0, 0.0]
    assert steering.origin.tolist() == [0.0, 0.0, 0.5, 0.5, 4.0]
    assert steering.axis.tolist() == [0.0, 0.0, 1.0, -1.0, 0.0]
    assert steering.threshold == pytest.approx(0.0)
    assert log == {
        "strength": 1.0, "forget_steered": 1.0, "retain_steered": 0.0, "length_0": pytest.approx(2**0.5),
    }  # fmt: skip
    assert first_words(model, plan, "forget") == {REFUSED}
    assert first_words(model, plan, "retain") == {KNOWN}
    assert len(model.layers[0]._forward_hooks) == 1
    method.withdraw()
    assert first_words(model, plan, "forget") == {KNOWN}


def test_each_step_goes_as_far_again() -> None:
    model, plan = HandMade().eval(), by_hand(steps=3)
    method = Method(Config(depth=0.0, coefficient=0.2))
    method.begin(model, plan, 0)
    found = []
    for step in (1, 2, 3):
        assert method.edit(model, step)["strength"] == pytest.approx(0.2 * step)
        found.append(first_words(model, plan, "forget"))
    assert found == [{KNOWN}, {REFUSED}, {REFUSED}]  # 0.5 - 0.2 n < 0.2 n from the second step on.
    assert len(model.layers[0]._forward_hooks) == 1


def test_prompts_that_look_alike_are_refused() -> None:
    plan = by_hand()
    retain = plan.sources["retain"]
    alike = [said(name, FORGET, KNOWN) for name in ("d", "ee", "fff")]
    plan.sources["retain"] = ExampleSource(alike, retain.stream, 2)
    with pytest.raises(UsageError, match="no prompt to be forgotten is told from"):
        Method(Config(depth=0.0)).begin(HandMade().eval(), plan, 0)


@pytest.mark.parametrize(("share", "beyond"), [(0.0, 0), (0.19, 0), (0.2, 1), (0.39, 1), (0.4, 2), (1.0, 5)])
def test_the_threshold_is_the_lowest_that_so_many_exceed(share: float, beyond: int) -> None:
    retain = torch.tensor([0.5, -0.3, 0.1, 0.9, -0.8])
    forget = torch.tensor([0.95, 0.7, 0.3, -0.2, -0.9])
    found = lowest_threshold(forget, retain, share)
    assert int((retain > found).sum()) == beyond
    every = sorted([*forget.tolist(), *retain.tolist()])
    lower = [x for x in every if x < found]
    # Halfway to the next one below, which is a retained one that may not be beyond.
    assert not lower or (lower[-1] in retain.tolist() and found - lower[-1] > 0.02)


# ---------------------------------------------------------------------------------------------
# Runs


def made(out: Path, model: Any, league: OffsideDataset, curve: tuple[int, ...] = (), **config: Any) -> Run:
    config = {"batch_size": 4, "retain_share": 0.5, **config}
    return unlearn("steering", model, None, league, "complete", config, out, CPU, curve_steps=curve)


def test_a_curve_is_of_strengths(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    before = model_digest(tiny)
    run = made(tmp_path / "runs/curve", tiny, league, (1, 3), coefficient=0.5)
    assert model_digest(tiny) == before
    manifest = run.manifest
    assert manifest.training is not None
    assert [entry["strength"] for entry in manifest.training.loss_history] == [0.5, 1.0, 1.5]
    assert manifest.intervention is not None
    assert manifest.intervention.files.keys() == {INTERVENTION, TENSORS}
    assert {path.name for path in run.path.rglob("*.safetensors")} == {TENSORS}
    strengths, digests = [], set()
    for folder in (run.path / "curve/step-000001", run.path / "curve/step-000003", run.path):
        found = read_intervention(folder)
        assert isinstance(found, Steering)
        strengths.append(found.strength)
        point = Run.open(folder).manifest
        assert point.intervention is not None
        digests.add(point.intervention.files[INTERVENTION])
    assert strengths == [0.5, 1.5, 1.5]
    assert len(digests) == 3, "each folder names the model from where it lies"
    again = read_intervention(made(tmp_path / "runs/again", tiny, league, max_steps=3, coefficient=0.5).path)
    assert isinstance(again, Steering)
    assert again.to_json() == found.to_json()
    assert all(torch.equal(tensor, found.tensors()[name]) for name, tensor in again.tensors().items())


def test_a_loaded_model_is_as_it_was_afterwards(
    fresh: Callable[[], tuple[Any, Any]], league: OffsideDataset, tmp_path: Path
) -> None:
    model, processor = fresh()
    row = league.records("multimodal", "forget")[0]
    batch = Collator(processor)([Encoder(processor).encode(row)])
    digest, before = weights_digest(model), forward(model, batch).logits
    config = {"batch_size": 4, "retain_share": 0.5}
    unlearn("steering", model, processor, league, "complete", config, tmp_path / "run", CPU)
    assert weights_digest(model) == digest
    assert torch.equal(forward(model, batch).logits, before)


def test_several_layers_and_an_adapter_below(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    """An adapter run is a model as any other: what is recorded of it is read through the adapter."""
    from offside_unlearn import finetune

    taught = {"max_steps": 2, "lr": 0.05}
    vanilla = finetune(tiny, None, league, taught, tmp_path / "vanilla", splits=("retain", "forget"), options=CPU)
    run = made(tmp_path / "steered", vanilla.path, league, depth=0.75, steered_layers=3)
    found = read_intervention(run.path)
    assert isinstance(found, Steering)
    assert [name.rpartition(".")[2] for name in found.directions] == ["1", "2", "3"]
    assert run.manifest.adapter is None
    assert run.manifest.base_model is not None
    assert run.manifest.base_model.path == str(vanilla.path)
    of_base = read_intervention(made(tmp_path / "base", tiny, league, depth=0.75, steered_layers=3).path)
    assert isinstance(of_base, Steering)
    assert not any(torch.equal(found.directions[name], d) for name, d in of_base.directions.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family: str, league: OffsideDataset) -> None:
    texts = [f"{row['question']} {row['answer']}" for row in league.records("multimodal", "forget")]
    model, processor = build_tiny(family, texts=texts, seed=0)
    encoder = Encoder(processor)
    rows = {side: list(league.records("multimodal", side)) for side in ("forget", "retain")}
    sides = {side: [encoder.encode(row) for row in every] for side, every in rows.items()}
    sides["refusal"] = [encoder.encode(row, answer="I don't know.") for row in rows["forget"]]
    sources = {side: ExampleSource(every, Stream(every, seed=0, name=side), 4) for side, every in sides.items()}
    plan = BatchPlan(sources, steps=1, accumulation=1, collator=Collator(processor))
    method = Method(Config(retain_share=0.5, steered_layers=2))
    method.begin(model, plan, 0)
    batch = plan.collator(sides["forget"])
    before = forward(model, batch).logits
    assert method.edit(model, 1)["forget_steered"] > 0
    assert not torch.allclose(forward(model, batch).logits, before, atol=1e-3)
    method.withdraw()
    assert torch.equal(forward(model, batch).logits, before)


def test_what_it_cannot_do_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", tune="all")
    with pytest.raises(UsageError, match="changes no weights"):
        unlearn("steering", tiny, None, league, "complete", {}, tmp_path / "run", options)
    assert not (tmp_path / "run").exists()


def test_a_strength_beyond_all_numbers_is_refused(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smaller coefficient than 1e\\+300"):
        made(tmp_path / "run", tiny, league, coefficient=1e300, retain_share=1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [{"depth": 1.5}, {"steered_layers": 0}, {"coefficient": 0.0}, {"coefficient": -1.0}, {"retain_share": 2.0}]
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
