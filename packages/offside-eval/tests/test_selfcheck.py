"""The checks before a long evaluation: all pass on a sound model, and each fails where what it is about is broken."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from offside_data.dataset.folder import open_dataset
from offside_data.errors import UsageError
from offside_data.vlm import Encoder, build_tiny, load_model, load_processor, vision_once
from offside_data.vlm.tiny import FAMILIES
from offside_eval.cli import main
from offside_eval.config import EvaluationConfig
from offside_eval.inference.likelihood import Likelihood
from offside_eval.plan import make_plan
from offside_eval.selfcheck import Check, draw, selfcheck

CONFIG = EvaluationConfig(device="cpu", max_new_tokens=3)
BATCHES = ("batch sizes: answers", "batch sizes: log-probabilities")
SHARED = "one pass of the prompt for all answers: log-probabilities"
TOKENS = "the processor's own inputs: tokens"
ONE_PASS = "the processor's own inputs, one pass a question: log-probabilities"
GENERATE = "the model's own `generate`, one question at a time: answers"
TWICE = "twice the same"
PICTURE = "another picture: log-probabilities change"
Run = Callable[..., dict[str, Check]]


@pytest.fixture(scope="module")
def sound(models: dict[str, Path]) -> tuple[Any, Any]:
    return load_model(models["trained"], device="cpu"), load_processor(models["trained"])


@pytest.fixture
def run(sound: tuple[Any, Any], small_data: Path) -> Run:
    def checks(n: int = 6) -> dict[str, Check]:
        return {check.name: check for check in selfcheck(*sound, small_data, n=n, config=CONFIG).checks}

    return checks


@contextlib.contextmanager
def hooked(module: Any, hook: Callable[..., Any]) -> Any:
    handle = module.register_forward_hook(hook)
    yield
    handle.remove()


@contextlib.contextmanager
def in_batches(model: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Logits are changed where the model is given more than one row."""
    rows: list[int] = []

    def count(_: Any, __: Any, given: dict[str, Any]) -> None:
        rows.append(next(len(given[name]) for name in ("input_ids", "inputs_embeds") if given.get(name) is not None))

    before = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        with hooked(model.lm_head, lambda _, __, logits: change(logits) if rows[-1] > 1 else logits):
            yield
    finally:
        before.remove()


@pytest.mark.full
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_passes(family: str, small_data: Path) -> None:
    rows = [q.row for q in make_plan(open_dataset(small_data), "complete").questions.values()]
    model, processor = build_tiny(family, texts=[t for r in rows for t in (r["question"], r["answer"])], seed=0)
    found = selfcheck(model, processor, small_data, config=CONFIG)
    assert {check.name: check.outcome for check in found.checks if check.name != PICTURE} == dict.fromkeys(
        (*BATCHES, SHARED, TOKENS, ONE_PASS, GENERATE, TWICE), "passed"
    ), [check for check in found.checks if check.outcome != "passed"]
    assert found.passed
    assert len(found.records) == len(set(found.records)) == 8


def test_pictures_and_texts_are_drawn_and_two_questions_share_a_picture(small_data: Path) -> None:
    plan = make_plan(open_dataset(small_data), "complete")
    for n, shown in ((1, 1), (8, 4), (9, 5)):
        drawn = draw(plan, n, seed=0)
        pictures = [q.row["image_id"] for q in drawn if q.row["image"] is not None]
        assert (len(drawn), len(pictures)) == (n, shown)
        assert len(set(pictures)) == (shown + 1) // 2
    assert [q.key for q in draw(plan, 8, seed=0)] == [q.key for q in draw(plan, 8, seed=0)]
    assert {q.key for q in draw(plan, 8, seed=0)} != {q.key for q in draw(plan, 8, seed=1)}
    assert len(draw(plan, 10_000, seed=0)) < 10_000


def test_answers_that_depend_on_the_batch_are_seen(run: Run, sound: tuple[Any, Any]) -> None:
    with in_batches(sound[0], lambda logits: logits.roll(1, -1)):
        found = run()
    for name in BATCHES:
        assert found[name].outcome == "failed", name
        assert found[name].where is not None
        assert found[name].values is not None
        assert found[name].values[0] != found[name].values[1]


def test_a_small_shift_of_the_log_probabilities_is_seen(run: Run, sound: tuple[Any, Any]) -> None:
    """Too small to change a text: a ten-thousandth, in batches alone."""
    with in_batches(sound[0], lambda logits: logits * (1 + 1e-4)):
        found = run()
    assert found[BATCHES[0]].outcome == "passed"
    assert found[BATCHES[1]].outcome == "failed"


def test_shared_prompts_that_go_wrong_before_the_last_question_are_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions = Likelihood._positions

    def off(self: Any, batch: Any, before: Any, mask: Any) -> torch.Tensor:
        right = positions(self, batch, before, mask).clone()
        right[: len(right) // 2] += 7
        return right

    monkeypatch.setattr(Likelihood, "_positions", off)
    assert run()[SHARED].outcome == "failed"


def test_an_architecture_that_cannot_share_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    positions = Likelihood._positions
    monkeypatch.setattr(Likelihood, "_positions", lambda *args: positions(*args) + 7)
    assert run()[SHARED].outcome == "warning"


def test_features_handed_to_the_wrong_rows_are_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spread = vision_once._spread
    monkeypatch.setattr(vision_once, "_spread", lambda features, shown: spread(features, shown.roll(1)))
    assert run()[ONE_PASS].outcome == "failed"


def test_a_prompt_that_is_not_the_processors_is_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Encoder._turns

    def longer(self: Any, asked: Any, picture: Any) -> Any:
        return turns(self, dataclasses.replace(asked, question=f"Well, {asked.question}"), picture)

    monkeypatch.setattr(Encoder, "_turns", longer)
    monkeypatch.setattr("offside_eval.inference.generation.decode", lambda _, tokens: ["Nobody."] * len(tokens))
    found = run()
    assert found[TOKENS].outcome == found[ONE_PASS].outcome == found[GENERATE].outcome == "failed"
    assert found[GENERATE].values is not None
    assert found[GENERATE].values[0] == "'Nobody.'"


def test_a_model_that_answers_at_random_is_seen(run: Run, sound: tuple[Any, Any]) -> None:
    with hooked(sound[0].lm_head, lambda _, __, logits: logits + torch.randn_like(logits)):
        found = run()
    assert found[TWICE].outcome == "failed"


def test_a_model_that_looks_at_no_picture_is_a_warning(run: Run, sound: tuple[Any, Any]) -> None:
    assert run()[PICTURE].outcome == "passed"

    def blind(_: Any, __: Any, output: Any) -> Any:
        output.pooler_output = output.pooler_output * 0
        return output

    with hooked(sound[0].model.visual, blind):
        found = run()
    assert found[PICTURE].outcome == "warning"
    assert all(check.outcome == "passed" for name, check in found.items() if name != PICTURE)
    assert run(n=1)[PICTURE].outcome == "skipped"


def test_the_command_exits_1_where_a_check_fails(
    models: dict[str, Path], small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["selfcheck", "--model", str(models["trained"]), "--data", str(small_data)]
    command += ["--device", "cpu", "--max-new-tokens", "3", "--n", "6"]
    done = CliRunner().invoke(main, [*command, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert told["setting"] == "complete"
    assert {check["outcome"] for check in told["checks"]} == {"passed"}
    spread = vision_once._spread
    monkeypatch.setattr(vision_once, "_spread", lambda features, shown: spread(features, shown.roll(1)))
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1, done.output
    assert "failed" in done.stdout
    assert "Traceback" not in done.output


def test_wrong_use_is_refused(sound: tuple[Any, Any], small_data: Path) -> None:
    with pytest.raises(UsageError, match="n must be at least 1"):
        selfcheck(*sound, small_data, n=0)
    with pytest.raises(UsageError, match="nonesuch"):
        selfcheck(*sound, small_data, "nonesuch", config=CONFIG)
