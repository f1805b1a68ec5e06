from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_data.errors import DigestMismatchError, ModelError, OutputExistsError, UsageError
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.inference.saved import SavedBatches
from offside_eval.metrics import load_metric, metric_names

CONFIG = EvaluationConfig(limit=3, max_new_tokens=12, batch_size=4, device="cpu", role="vanilla")
SCORES = (
    "samples.parquet",
    "weighings.parquet",
    "aggregates.json",
    "results.json",
    "model_index.yaml",
    "eval_results.yaml",
)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SCORES}


@pytest.fixture(scope="module")
def undisturbed(models: dict[str, Path], small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("out") / "undisturbed"
    return evaluate(models["half"], None, small_data, "complete", config=CONFIG, out=out)


@pytest.fixture
def again(models: dict[str, Path], small_data: Path) -> Callable[..., Results]:
    """The same evaluation once more, with other options on request."""

    def run(out: Path | None, config: EvaluationConfig = CONFIG, **options: Any) -> Results:
        asked = {
            "model": models["half"],
            "processor": None,
            "data": small_data,
            "setting": "complete",
        } | options
        return evaluate(**asked, config=config, out=out)

    return run


def test_the_folder_says_everything(undisturbed: Results, small_data: Path, models: dict[str, Path]) -> None:
    meta = undisturbed.meta
    assert meta.role == "vanilla"
    assert meta.dataset.name == "small"
    assert (meta.forget.digest, meta.forget.n) == (undisturbed.forget_digest, 16)
    asked = {name for name in metric_names() if not load_metric(name).costly}
    assert set(meta.metrics) == asked | {"probability:choice", "rouge_l:recall"}
    assert meta.model_metrics == ("forget_quality", "model_utility")
    assert meta.versions["torch"]
    assert json.loads((undisturbed.path / "results.json").read_text()) == meta.to_json()
    assert {p.name for p in undisturbed.path.iterdir()} == {*SCORES, "timing.json", "model_metrics.json"}
    assert json.loads((undisturbed.path / "timing.json").read_text())["answers_per_second"] > 0
    assert Results.load(undisturbed.path).samples.equals(undisturbed.samples)


def test_scores_are_whole_and_counted(undisturbed: Results) -> None:
    samples = undisturbed.samples
    for name in undisturbed.metrics:
        values = samples[name].drop_nulls()
        assert values.is_finite().all()
        assert (samples[name].is_null() == samples[f"{name}.skipped"].is_not_null()).all()
    for entry in undisturbed.aggregates:
        assert entry.n_scored > 0
        assert math.isfinite(entry.value)
        where = (pl.col("slice") == entry.slice) & (pl.col("variant") == entry.variant)
        where &= pl.lit(True) if entry.scope is None else pl.col("scope") == entry.scope
        assert samples.filter(where).height == entry.n_scored + entry.n_skipped
    swapped = samples.filter(pl.col("variant") == "swapped")
    assert swapped.height > 0
    assert (samples["states_old"].is_not_null() == (samples["variant"] == "swapped")).all()


def test_twice_is_byte_identical(undisturbed: Results, again: Callable[..., Results], tmp_path: Path) -> None:
    assert contents(again(tmp_path / "out").path) == contents(undisturbed.path)


@pytest.mark.parametrize("size", [1, 32])
def test_batch_size_changes_no_score(undisturbed: Results, again: Callable[..., Results], size: int) -> None:
    other = again(None, dataclasses.replace(CONFIG, batch_size=size))
    text = [c for c, t in undisturbed.samples.schema.items() if t != pl.Float64]
    assert other.samples.select(text).equals(undisturbed.samples.select(text))
    for column in set(undisturbed.samples.columns) - set(text):
        a, b = undisturbed.samples[column].to_list(), other.samples[column].to_list()
        assert a == pytest.approx(b, abs=1e-5)
    pairs = zip(undisturbed.aggregates, other.aggregates, strict=True)
    assert all(a.value == pytest.approx(b.value, abs=1e-5) for a, b in pairs)


@pytest.mark.parametrize("batches", [1, 9])
def test_an_interruption_leaves_no_trace(
    undisturbed: Results,
    again: Callable[..., Results],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    batches: int,
) -> None:
    save, left = SavedBatches.save, [batches]

    def dying(self: SavedBatches, *args: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        save(self, *args)

    monkeypatch.setattr(SavedBatches, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        again(tmp_path / "out")
    assert len(list((tmp_path / "out" / ".progress").glob("*-*.json"))) == batches
    monkeypatch.setattr(SavedBatches, "save", save)
    assert contents(again(tmp_path / "out").path) == contents(undisturbed.path)
    assert "going on with an interrupted evaluation" in capsys.readouterr().err
    assert not (tmp_path / "out" / ".progress").exists()


def test_a_finished_evaluation_is_reused(
    undisturbed: Results, again: Callable[..., Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed.path, out)
    (out / ".progress").mkdir()  # killed before its very last step
    before = (out / "results.json").stat().st_mtime_ns
    reused = again(out)
    assert reused.samples.equals(undisturbed.samples)
    assert (out / "results.json").stat().st_mtime_ns == before
    assert not (out / ".progress").exists()
    assert "finished; nothing to do" in capsys.readouterr().err


def test_what_the_folder_holds_is_respected(
    undisturbed: Results, again: Callable[..., Results], tmp_path: Path, models: dict[str, Path]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed.path, out)
    with pytest.raises(OutputExistsError, match=r"finished evaluation of something else .*model"):
        again(out, model=models["trained"])
    stated = (out / "results.json").read_text()
    (out / "results.json").unlink()
    rest = {path.name: path.read_bytes() for path in out.iterdir()}
    # Nothing says any more that the rest is an evaluation's, so not even --force replaces it.
    for config in (CONFIG, dataclasses.replace(CONFIG, force=True)):
        with pytest.raises(OutputExistsError, match="already holds something else"):
            again(out, config)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == rest
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="is a file"):
        again(tmp_path / "file")
    (out / "results.json").write_text(json.dumps(json.loads(stated) | {"setting": "another"}))
    with pytest.raises(OutputExistsError, match=r"finished evaluation of something else .*setting"):
        again(out)
    forced = again(out, dataclasses.replace(CONFIG, force=True))
    assert contents(forced.path) == contents(undisturbed.path)


def test_an_interrupted_evaluation_of_something_else_is_not_continued(
    again: Callable[..., Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: SavedBatches, *args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SavedBatches, "save", die)
    with pytest.raises(KeyboardInterrupt):
        again(tmp_path / "out")
    with pytest.raises(OutputExistsError, match=r"interrupted evaluation of something else .*batch_size: 4 -> 8"):
        again(tmp_path / "out", dataclasses.replace(CONFIG, batch_size=8))


def test_a_plain_checkpoint_is_evaluated_with_a_warning(
    again: Callable[..., Results],
    models: dict[str, Path],
    made_up: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = EvaluationConfig(limit=1, max_new_tokens=2, device="cpu", metrics=("refusal",))
    results = again(None, few, suite="utility")
    assert results.role == "unknown"
    assert results.meta.model.run is None
    assert "has no offside_run.json" in capsys.readouterr().err
    ours = tmp_path / "ours"
    shutil.copytree(models["half"], ours)
    (ours / "offside_run.json").write_text(json.dumps(made_up.manifest(method="npo")))
    known = again(None, few, suite="utility", model=ours)
    assert known.role == "unlearned"
    assert known.meta.model.run.method == "npo"
    assert known.meta.model.digest == results.meta.model.digest
    assert "has no offside_run.json" not in capsys.readouterr().err


def test_a_model_in_memory(again: Callable[..., Results], models: dict[str, Path]) -> None:
    from offside_data.vlm import load_model, load_processor

    model, processor = load_model(models["half"], device="cpu"), load_processor(models["half"])
    few = EvaluationConfig(limit=2, max_new_tokens=4, metrics=("value_match",))
    results = again(None, few, model=model, processor=processor)
    assert results.path is None
    assert results.metrics == ["value_match", "degenerate"]
    assert results.meta.model.digest.startswith("sha256:")


def test_controls_give_a_comparison(undisturbed: Results, again: Callable[..., Results]) -> None:
    compared = again(None, controls={"vanilla": undisturbed})
    assert compared.comparison is not None
    assert undisturbed.comparison is None


def test_a_broken_model_is_scored_not_skipped(again: Callable[..., Results], models: dict[str, Path]) -> None:
    import torch

    from offside_data.vlm import load_model, load_processor

    model, processor = load_model(models["raw"], device="cpu"), load_processor(models["raw"])
    torch.nn.init.constant_(model.get_input_embeddings().weight, math.nan)
    few = EvaluationConfig(limit=2, max_new_tokens=3)
    samples = again(None, few, model=model, processor=processor).samples
    for metric in ("value_match", "probability", "choice_accuracy"):
        scored = samples[metric].drop_nulls()
        assert scored.len() > 0
        assert (scored == 0).all()
    assert samples["probability"].is_not_null().all()
    assert (samples["degenerate"] == 1).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"setting": "corrective"}, UsageError, "doesn't offer the setting 'corrective'"),
        ({"setting": "complet"}, UsageError, "Did you mean 'complete'"),
        ({"data": "./nowhere"}, UsageError, "nowhere"),
    ],
)
def test_bad_input_is_refused_and_nothing_stays_behind(
    again: Callable[..., Results],
    tmp_path: Path,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        again(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_model_folder_without_a_processor(
    again: Callable[..., Results], models: dict[str, Path], tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(models["half"], bare)
    for name in (
        "processor_config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ):
        (bare / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="bare"):
        again(tmp_path / "out", model=bare)
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_what_its_card_says(again: Callable[..., Results], small_data: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(small_data, changed)
    shutil.copy(
        changed / "data/text/retain-00000-of-00001.parquet",
        changed / "data/text/forget-00000-of-00001.parquet",
    )
    with pytest.raises(DigestMismatchError):
        again(tmp_path / "out", data=changed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"limit": 0}, {"role": "vanila"}, {"max_new_tokens": -1}])
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        EvaluationConfig(**options)


@pytest.mark.full
def test_kill_9_and_again_is_the_same(models: dict[str, Path], small_data: Path, tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        program = [sys.executable, "-c", "from offside_eval.cli import main; main()", "run", str(out)]
        where = ["--model", str(models["half"]), "--data", str(small_data), "--setting", "complete"]
        how = ["--max-new-tokens", "16", "--batch-size", "4", "--device", "cpu", "--role", "vanilla"]
        return [*program, *where, *how]

    out, whole = tmp_path / "out", tmp_path / "whole"
    for batches in (3, 25):  # killed while answering, and again while weighing
        process = subprocess.Popen(command(out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while len(list((out / ".progress").glob("*-*.json"))) < batches:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "results.json").exists()
    for place in (out, whole):
        subprocess.run(command(place), check=True, capture_output=True)
    assert contents(out) == contents(whole)
