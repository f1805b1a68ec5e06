"""Evaluations that share work: answers in a cache, and one evaluation's batches over several processes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from offside_data.errors import UsageError
from offside_data.vlm import load_model, load_processor
from offside_eval import EvaluationConfig, Results, evaluate

METRICS = ("value_match", "choice_accuracy", "probability")
CONFIG = EvaluationConfig(
    limit=2, max_new_tokens=4, batch_size=4, device="cpu", role="vanilla", metrics=METRICS, max_length=512
)
FILES = ("samples.parquet", "weighings.parquet", "aggregates.json", "results.json", "model_index.yaml")
Run = Callable[..., Results]


def contents(results: Results) -> dict[str, bytes]:
    assert results.path is not None
    return {name: (results.path / name).read_bytes() for name in FILES}


def asked(results: Results) -> dict[str, int]:
    assert results.path is not None
    found: dict[str, int] = json.loads((results.path / "timing.json").read_text(encoding="utf-8"))["asked"]
    return found


@pytest.fixture(scope="module")
def run(models: dict[str, Path], small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    def evaluated(setting: str = "complete", model: str = "half", **changes: Any) -> Results:
        out = tmp_path_factory.mktemp("out") / "results"
        return evaluate(
            models[model], None, small_data, setting, config=dataclasses.replace(CONFIG, **changes), out=out
        )

    return evaluated


@pytest.fixture(scope="module")
def undisturbed(run: Run) -> Results:
    return run()


def test_what_was_asked_before_is_not_asked_again_and_the_bytes_are_the_same(
    run: Run, undisturbed: Results, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")
    cold, warm = run(cache=cache), run(cache=cache)
    assert contents(cold) == contents(warm) == contents(undisturbed)
    assert asked(cold) == asked(undisturbed)
    assert set(asked(warm).values()) == {0}

    files = sorted((tmp_path / "cache").rglob("*.json"))
    assert len(files) == sum(asked(cold).values())
    first = json.loads(files[0].read_text(encoding="utf-8"))
    files[0].write_text(files[0].read_text(encoding="utf-8")[:20])  # a power cut
    files[1].write_text("{}")
    changed = json.loads(files[2].read_text(encoding="utf-8"))
    changed["outcome"] = first["outcome"]  # a well-formed answer to another question
    files[2].write_text(json.dumps(changed))
    assert sum(asked(run(cache=cache)).values()) == 3

    other = run("selective", cache=cache)
    plain = run("selective")
    n = asked(plain)["answering"]
    assert 0 < asked(other)["answering"] < n
    keys = ["record_id", "slice", "variant"]
    both = other.samples.join(plain.samples, on=keys, suffix="_plain")
    assert len(both) == len(other.samples) == len(plain.samples)
    assert both["prediction"].to_list() == both["prediction_plain"].to_list()
    apart = (pl.col("probability") - pl.col("probability_plain")).abs().max()
    assert both.select(apart).item() < 1e-5


@pytest.mark.parametrize("change", [{"max_new_tokens": 5}, {"max_pixels": 64 * 64}, {"model": "trained"}])
def test_another_model_length_or_picture_size_is_asked_anew(
    run: Run, change: dict[str, Any], tmp_path: Path, models: dict[str, Path]
) -> None:
    few = {"limit": 1, "metrics": ("value_match",), "cache": str(tmp_path)}
    before = asked(run(**few))["answering"]
    assert asked(run(**few, **change))["answering"] == before > 0


def test_a_model_in_memory_with_another_configuration_is_another_model(
    models: dict[str, Path], small_data: Path, tmp_path: Path
) -> None:
    model, processor = load_model(models["half"], device="cpu"), load_processor(models["half"])
    config = dataclasses.replace(CONFIG, limit=1, metrics=("probability",), cache=str(tmp_path / "cache"))
    found = []
    for name, theta in (("a", 1e4), ("b", 1e4), ("c", 2e4)):
        model.config.text_config.rope_parameters["rope_theta"] = theta
        results = evaluate(model, processor, small_data, "complete", config=config, out=tmp_path / name)
        found.append(asked(results)["weighing"])
    assert found[0] == found[2] > found[1] == 0


def start(number: int, count: int, out: Path, model: Path, data: Path, *extra: str) -> subprocess.Popen[str]:
    """One of several processes, as `torchrun` and `accelerate launch` start them."""
    command = [sys.executable, "-m", "offside_eval.cli", "run", str(out), "--json"]
    command += ["--model", str(model), "--data", str(data), "--setting", "complete", "--role", "vanilla"]
    command += ["--limit", "2", "--max-new-tokens", "4", "--batch-size", "4", "--device", "cpu", "--max-length", "512"]
    command += ["--metrics", ",".join(METRICS), *extra]
    together = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **together}, **pipes)


@pytest.mark.full
def test_two_processes_write_the_bytes_of_one(
    undisturbed: Results, models: dict[str, Path], small_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    processes = [start(number, 2, out, models["half"], small_data) for number in (1, 0)]
    told = [process.communicate(timeout=500) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert told[0][0] == "", "only the first process speaks"
    assert json.loads(told[1][0])["out"] == str(out)
    assert {name: (out / name).read_bytes() for name in FILES} == contents(undisturbed)
    assert not (out / ".progress").exists()


def test_several_processes_need_a_folder_and_delete_nothing(
    models: dict[str, Path], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match="name one, or start one process"):
        evaluate(models["half"], None, small_data, "complete", config=CONFIG)
    forced = dataclasses.replace(CONFIG, force=True)
    with pytest.raises(UsageError, match="--force with several processes"):
        evaluate(models["half"], None, small_data, "complete", config=forced, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
