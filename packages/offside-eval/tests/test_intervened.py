"""Runs without weights are evaluated as any other: what they do is done, wherever the model is asked, and is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from offside_data.dataset.folder import open_dataset
from offside_data.errors import ModelError, OutputExistsError
from offside_data.run_curve import FOLDER, point_name
from offside_data.vlm import Encoder, build_tiny, load_model, load_processor, save_processor
from offside_data.vlm.digest import model_digest
from offside_data.vlm.intervention import INTERVENTION, Intervention, applied_in, write_intervention
from offside_data.vlm.interventions.guardrail import GuardedSubject, Guardrail
from offside_data.vlm.interventions.steering import Steering, prompt_ends
from offside_data.vlm.tiny import FAMILIES
from offside_data.vlm.vision_once import told_of_batches
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.curve import evaluate_curve
from offside_eval.evaluation import Session
from offside_eval.inference.asking import Item
from offside_eval.inference.engine import Engine, asking_collator
from offside_eval.inference.likelihood import Likelihood, Weighed
from offside_eval.model import TargetModel
from offside_eval.plan import Question

CONFIG = EvaluationConfig(limit=4, max_new_tokens=8, batch_size=8, device="cpu")
NEEDS = frozenset({"generation", "choices", "likelihood"})
NAME = "Orlo Vantis"


def guardrail(name: str = NAME) -> Guardrail:
    subject = GuardedSubject(names=(name,), attributes=("club",), pictures=())
    return Guardrail("Say nothing about: {attributes}.", "phash", 8, (subject,))


def steering(model: Any, *, threshold: float = -2.0, strength: float = 1.5) -> Steering:
    draw = torch.Generator().manual_seed(1)
    width = model.config.get_text_config().hidden_size
    layers = [name for name, _ in model.named_modules() if name.endswith((".layers.1", ".layers.2"))]
    named = {n: torch.randn(width, generator=draw) for n in layers if "language_model" in n or "text_model" in n}
    return Steering(named, strength, torch.zeros(width), torch.randn(width, generator=draw), threshold)


def halfway(model: Any, processor: Any, items: list[Item]) -> Steering:
    """One that steers about half of these prompts."""
    steer, found, ends = steering(model), list[float](), list[torch.Tensor]()

    def look(_: Any, args: Any, out: Any) -> None:
        states = out if isinstance(out, torch.Tensor) else out[0]
        found.extend(steer.likeness(states[torch.arange(len(states)), ends[-1]]).tolist())

    hook = model.get_submodule(next(iter(steer.directions))).register_forward_hook(look)
    with told_of_batches(model, lambda batch: ends.append(prompt_ends(batch))):
        for item in items:
            Likelihood(model, asking_collator(processor), share_prompts=False)(
                [item.__class__(item.key, item.prompt, item.answers[:1], ())]
            )
    hook.remove()
    middle = len(found) // 2
    return steering(model, threshold=sum(sorted(found)[middle - 1 : middle + 1]) / 2)


def flat(found: list[list[Weighed]]) -> list[float]:
    return [x for answers in found for answer in answers for x in answer.logprobs]


@pytest.mark.parametrize("family", FAMILIES)
def test_sharing_the_prompt_changes_nothing_for_a_steered_model(family: str, small_data: Path) -> None:
    """Gates are decided on the prompt alone, and hold for all answers to it, in batches of pictures and texts."""
    from offside_eval.plan import make_plan

    questions = list(make_plan(open_dataset(small_data), "complete").questions.values())
    texts = [t for q in questions for t in (q.row["question"], q.answer)]
    model, processor = build_tiny(family, texts=texts, seed=0)
    text = [q for q in questions if q.row["modality"] == "text"][:3]
    shown = [q for q in questions if q.row["modality"] == "multimodal" and q.choices][:4]
    items = Engine(model=model, processor=processor).encode([*shown, *text], frozenset({"choices"}))
    steer = halfway(model, processor, items)
    untouched = Likelihood(model, asking_collator(processor))(items)
    with steer.attached(model):
        shared = Likelihood(model, asking_collator(processor))
        plain = Likelihood(model, asking_collator(processor), share_prompts=False)
        for batch in (items[:4], items[4:], items, items[4:5], items[:1]):
            assert flat(shared(batch)) == pytest.approx(flat(plain(batch)), abs=1e-4)
        assert shared.shares, "the architecture could share its prompts"
        assert not shared.packs, "hooks must know where answers begin, so nothing else shares a row with them"
        found = plain(items)
    moved = [abs(flat([a])[0] - flat([b])[0]) > 1e-2 for a, b in zip(found, untouched, strict=True)]
    assert 0 < sum(moved) < len(items)


def test_a_steered_model_answers_alike_in_any_batch(
    questions_asked: list[Question], models: dict[str, Path], small_data: Path
) -> None:
    model, processor = load_model(models["trained"], device="cpu"), load_processor(models["trained"])
    items = Engine(model=model, processor=processor).encode(questions_asked, NEEDS)
    steer = halfway(model, processor, items)
    together, alone = (
        Engine(model=model, processor=processor, batch_size=size, max_new_tokens=8, intervention=steer).ask(
            items, NEEDS
        )
        for size in (8, 1)
    )
    assert together.replies == alone.replies
    assert together.weights.keys() == alone.weights.keys()
    for key, weights in alone.weights.items():
        assert together.weights[key].answer == pytest.approx(weights.answer, abs=1e-4)
        assert together.weights[key].choices == pytest.approx(weights.choices, abs=1e-4)
    plain = Engine(model=model, processor=processor, max_new_tokens=8).ask(items, NEEDS)
    differing = [
        key
        for key, weights in plain.weights.items()
        if weights.answer != pytest.approx(together.weights[key].answer, abs=1e-3)
    ]
    assert 0 < len(differing) < len(items)
    assert {key for key, reply in plain.replies.items() if reply != together.replies[key]} <= set(differing)


@pytest.fixture(scope="module")
def questions_asked(small_data: Path) -> list[Question]:
    from offside_eval.plan import make_plan

    return list(make_plan(open_dataset(small_data), "complete", limit=5, seed=0).questions.values())


# ---------------------------------------------------------------------------------------------
# Whole evaluations


@pytest.fixture
def write(models: dict[str, Path], made_up: Any, tmp_path: Path) -> Callable[..., Path]:
    """Write a run: `write("run", intervention)`."""

    def make(name: str, intervention: Intervention, **facts: Any) -> Path:
        run, base = tmp_path / "runs" / name, models["trained"]
        run.mkdir(parents=True)
        applied = write_intervention(intervention, run, base=str(base), base_digest=model_digest(base))
        save_processor(load_processor(base), run)
        told = {"kind": applied.kind, "files": dict(applied.files)}
        content = made_up.manifest(method=applied.kind, setting="complete", intervention=told, **facts)
        (run / "offside_run.json").write_text(json.dumps(content))
        return run

    return make


def by_question(results: Results) -> dict[tuple[str, str], tuple[Any, ...]]:
    columns = ["record_id", "variant", "question", "prediction", "probability"]
    return {(row[0], row[1]): row[2:] for row in results.samples.select(columns).unique().iter_rows()}


def test_a_guardrail_acts_on_those_whom_it_is_about(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path, tmp_path: Path
) -> None:
    plain = by_question(evaluate(models["trained"], None, small_data, "complete", "light", config=CONFIG))
    run = write("guard", guardrail())
    results = evaluate(run, None, small_data, "complete", "light", config=CONFIG, out=tmp_path / "out")
    guarded = by_question(results)
    assert guarded.keys() == plain.keys()
    named = {key for key, row in plain.items() if NAME in row[0]}
    assert 0 < len(named) < len(plain)
    for key, row in guarded.items():
        assert row[0] == plain[key][0], "the question stands in the results as it was asked"
        if key in named:
            assert abs(row[2] - plain[key][2]) > 1e-6
        else:
            assert row[1:] == (plain[key][1], pytest.approx(plain[key][2], rel=1e-4))
    told = json.loads((tmp_path / "out/results.json").read_text())["model"]["intervention"]
    assert told == {"kind": "guardrail", "files": dict(applied_in(run, "guardrail").files)}
    assert Results.load(tmp_path / "out").meta == results.meta


def test_steering_acts_in_generation_and_in_weighing(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path
) -> None:
    plain = by_question(evaluate(models["trained"], None, small_data, "complete", "light", config=CONFIG))
    model = load_model(models["trained"], device="cpu")
    run = write("steer", steering(model, strength=6.0))
    results = evaluate(run, None, small_data, "complete", "light", config=CONFIG)
    steered = by_question(results)
    assert all(abs(row[2] - plain[key][2]) > 1e-6 for key, row in steered.items())
    assert sum(row[1] != plain[key][1] for key, row in steered.items()) > len(plain) / 2
    assert results.meta.model.intervention is not None
    assert results.meta.model.intervention.kind == "steering"


def test_nothing_is_said_of_models_without_one(models: dict[str, Path], small_data: Path, tmp_path: Path) -> None:
    results = evaluate(models["raw"], None, small_data, "complete", "light", config=CONFIG, out=tmp_path / "out")
    assert results.meta.model.intervention is None
    assert "intervention" not in json.loads((tmp_path / "out/results.json").read_text())["model"]


def test_another_intervention_is_another_evaluation(
    write: Callable[..., Path], small_data: Path, tmp_path: Path
) -> None:
    def asked(run: Path) -> Results:
        return evaluate(run, None, small_data, "complete", "utility", config=CONFIG, out=tmp_path / "out")

    run = write("one", guardrail())
    asked(run)
    assert asked(run).meta.model.path == str(run)
    with pytest.raises(OutputExistsError, match="something else"):
        asked(write("other", guardrail("Bremi Kaldo")))


def test_one_session_asks_each_model_what_it_is_to_be_asked(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path
) -> None:
    """Questions are encoded once for all models of a session, but for those that are told something before them."""
    places = [models["trained"], write("one", guardrail()), write("other", guardrail("Bremi Kaldo")), models["trained"]]
    session = Session.of(small_data, "complete", "light", CONFIG)
    found = [by_question(session.evaluate(TargetModel.of(place, None, CONFIG), None)) for place in places]
    alone = [by_question(evaluate(p, None, small_data, "complete", "light", config=CONFIG)) for p in places[:3]]
    assert found == [*alone, alone[0]]
    assert alone[0] != alone[1] != alone[2]


def test_the_points_of_a_curve_share_their_model(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from offside_data.vlm import models as loading

    model = load_model(models["trained"], device="cpu")
    run = write("curve", steering(model, strength=4.0), steps=2, curve=[1], request="sha256:run")
    point = write(
        f"curve/{FOLDER}/{point_name(1)}", steering(model, strength=2.0), steps=1, curve=[], point_of="sha256:run"
    )
    plain, loaded = loading._load_plain, []
    monkeypatch.setattr(loading, "_load_plain", lambda *args, **kw: (loaded.append(args[0]), plain(*args, **kw))[1])
    found = evaluate_curve(run, small_data, "complete", config=CONFIG, out=tmp_path / "out")
    assert len(loaded) == 1
    for step, place in ((1, point), (2, run)):
        alone = evaluate(place, None, small_data, "complete", "light", config=CONFIG)
        assert found[step].samples.equals(alone.samples)
    assert not found[1].samples["probability"].equals(found[2].samples["probability"])
    assert isinstance(found[1].samples, pl.DataFrame)


def test_a_model_that_was_changed_since_is_refused(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path
) -> None:
    run = write("guard", guardrail())
    content = json.loads((run / INTERVENTION).read_text())
    (run / INTERVENTION).write_text(json.dumps({**content, "base_digest": model_digest(models["raw"])}))
    with pytest.raises(ModelError, match="made for another model"):
        evaluate(run, None, small_data, "complete", "light", config=CONFIG)


def test_what_is_said_before_a_question_counts_among_its_tokens(
    write: Callable[..., Path], models: dict[str, Path], small_data: Path
) -> None:
    from offside_data.errors import AnswerTooLongError

    processor = load_processor(models["trained"])
    rows = list(open_dataset(small_data).records("text", "forget"))
    longest = max(len(Encoder(processor).encode(row).input_ids) for row in rows)
    named = [row for row in rows if NAME in row["question"]]
    with pytest.raises(AnswerTooLongError, match=named[0]["record_id"]):
        Encoder(processor, max_length=longest, instruct=guardrail().instruction).encode(named[0])
