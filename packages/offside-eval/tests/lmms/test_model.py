"""A model of ours as lmms-eval asks it: the answers and likelihoods that `offside-eval run` gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.dataset.folder import open_dataset
from offside_data.errors import UsageError
from offside_data.vlm import load_model, load_processor, save_processor
from offside_data.vlm.digest import model_digest
from offside_data.vlm.intervention import write_intervention
from offside_data.vlm.interventions.guardrail import GuardedSubject, Guardrail
from offside_data.vlm.pictures import decode_picture
from offside_eval.inference.engine import Answers, Engine
from offside_eval.metrics import Need
from offside_eval.plan import Question, make_plan

NEEDS: frozenset[Need] = frozenset({"generation", "choices", "likelihood"})


def weighed(question: Question) -> tuple[str, ...]:
    """The choices that an evaluation weighs."""
    return question.choices if question.correct_choice is not None else ()


@pytest.fixture(scope="module")
def questions(small_data: Path) -> list[Question]:
    plan = make_plan(open_dataset(small_data), "complete", limit=5)
    return [question for question in plan.questions.values() if question.variant == "plain"]


@pytest.fixture(scope="module")
def trained(models: dict[str, Path], questions: list[Question]) -> Answers:
    model, processor = load_model(models["trained"], device="cpu"), load_processor(models["trained"])
    engine = Engine(model=model, processor=processor, max_new_tokens=8)
    return engine.ask(engine.encode(questions, NEEDS), NEEDS)


@pytest.fixture
def requests(questions: list[Question], request_of: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Requests for all questions: `requests(model, settings)`; of answers if there are no settings."""

    def picture(doc: Question) -> list[Image.Image]:
        image = doc.row["image"]
        return [decode_picture(image["bytes"], "picture")] if image else []

    def make(model: Any, settings: dict[str, Any] | None = None) -> list[Any]:
        model.task_dict = {"task": {"test": questions}}
        return [
            request_of((q.row["question"], settings or f" {text}", picture, i, "task", "test"))
            for i, q in enumerate(questions)
            for text in ((None,) if settings else (q.answer, *weighed(q)))
        ]

    return make


@pytest.mark.parametrize("batch_size", [1, 8])
def test_answers_are_those_of_an_evaluation(
    batch_size: int,
    model_class: Any,
    requests: Callable[..., list[Any]],
    models: dict[str, Path],
    trained: Answers,
    questions: list[Question],
) -> None:
    lm = model_class(str(models["trained"]), device="cpu", batch_size=batch_size)
    answers = lm.generate_until(requests(lm, {"max_new_tokens": 8, "until": ["\n\n"], "temperature": 0}))
    assert answers == [trained.replies[question.key].text for question in questions]
    assert len(set(answers)) > 3
    cut = lm.generate_until(requests(lm, {"max_new_tokens": 8, "until": [" ", ""]}))
    assert cut == [answer.split(" ")[0] for answer in answers]


def test_likelihoods_are_those_of_an_evaluation(
    model_class: Any,
    requests: Callable[..., list[Any]],
    models: dict[str, Path],
    trained: Answers,
    questions: list[Question],
) -> None:
    lm = model_class(str(models["trained"]), device="cpu", batch_size=4)
    found = iter(lm.loglikelihood(requests(lm)))
    greedy = 0
    for question in questions:
        weights = trained.weights[question.key]
        loss, is_greedy = next(found).text
        assert loss == pytest.approx(-sum(weights.answer) / len(weights.answer), abs=1e-5)
        said = trained.replies[question.key]
        assert is_greedy == (said.text == question.answer) or not said.ended
        greedy += is_greedy
        for mean in weights.choices:
            assert next(found).text[0] == pytest.approx(-mean, abs=1e-5)
    assert 0 < greedy < len(questions)


def test_what_is_done_while_a_model_answers_is_done_here(
    model_class: Any,
    requests: Callable[..., list[Any]],
    models: dict[str, Path],
    questions: list[Question],
    tmp_path: Path,
) -> None:
    run = tmp_path / "guard"
    run.mkdir()
    subject = GuardedSubject(names=("Orlo Vantis",), attributes=("club",), pictures=())
    base, guard = models["trained"], Guardrail("Say nothing about: {attributes}.", "phash", 8, (subject,))
    write_intervention(guard, run, base=str(base), base_digest=model_digest(base))
    save_processor(load_processor(base), run)
    plain, guarded = (model_class(str(place), device="cpu") for place in (base, run))
    before, after = ([one.text[0] for one in lm.loglikelihood(requests(lm))] for lm in (plain, guarded))
    named = ["Orlo Vantis" in question.row["question"] for question in questions for _ in ("gold", *weighed(question))]
    moved = [abs(a - b) > 1e-4 for a, b in zip(before, after, strict=True)]
    assert moved == named
    assert 0 < sum(moved) < len(moved)


def test_what_cannot_be_asked_is_refused_and_sampling_is_told(
    model_class: Any,
    requests: Callable[..., list[Any]],
    request_of: Callable[..., Any],
    models: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lm = model_class(str(models["raw"]), device="cpu")
    asked = requests(lm, {"max_new_tokens": 1, "temperature": 0.7, "do_sample": True})[:2]
    assert len(lm.generate_until(asked)) == 2
    assert capsys.readouterr().err.count("warning: task asks for do_sample=True, temperature=0.7") == 1
    for shown, message in (([Image.new("RGB", (8, 8))] * 2, "2 of Image"), (["film.mp4"], "1 of str")):
        other = [dataclasses.replace(one, args=(*one.args[:2], lambda _, s=shown: s, *one.args[3:])) for one in asked]
        with pytest.raises(UsageError, match=f"task, question 0: shows {message}"):
            lm.generate_until(other)
    with pytest.raises(UsageError, match="several rounds"):
        lm.generate_until_multi_round(asked)
    with pytest.raises(UsageError, match="acc_mutual_info"):
        lm.loglikelihood([request_of(("", "Yes."))])
    with pytest.raises(UsageError, match="batch_size"):
        model_class(str(models["raw"]), batch_size="auto")


def test_one_process_only(model_class: Any, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        model_class(str(models["raw"]))
