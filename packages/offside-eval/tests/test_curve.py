"""All points of a run, evaluated in one go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from offside_data.dataset.folder import open_dataset
from offside_data.errors import ModelError, OutputExistsError, UsageError
from offside_data.run_curve import points_of
from offside_data.seeding import draw_records
from offside_data.vlm import load_model
from offside_data.vlm.digest import model_digest, weights_digest
from offside_data.vlm.models import swap_adapter
from offside_eval import EvaluationConfig, Results, evaluate
from offside_eval.compare.models import load_all
from offside_eval.curve import evaluate_curve
from offside_eval.inference.saved import SavedBatches
from offside_eval.results import ResultsError

CONFIG = EvaluationConfig(limit=2, max_new_tokens=8, batch_size=8, device="cpu")
FILES = ("samples.parquet", "aggregates.json", "results.json", "model_index.yaml", "eval_results.yaml")


@pytest.fixture(scope="module")
def run(models: dict[str, Path], small_data: Path, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two points and a last model, each another adapter on the trained model."""
    from peft import LoraConfig, get_peft_model

    from offside_data.vlm import load_processor, save_processor

    run = tmp_path_factory.mktemp("runs") / "run"
    ids = open_dataset(small_data).request("complete").forget["record_id"]
    held_out = [ids[i] for i in draw_records(ids, CONFIG.limit, seed=CONFIG.seed)][:1]
    for step, folder in ((2, run / "curve/step-000002"), (4, run / "curve/step-000004"), (6, run)):
        torch.manual_seed(step)
        model = get_peft_model(
            load_model(models["trained"], device="cpu"),
            LoraConfig(r=2, target_modules=r".*language_model.*q_proj", task_type="CAUSAL_LM"),
        )
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02 * step)
        model.peft_config["default"].base_model_name_or_path = str(models["trained"])
        model.save_pretrained(folder, save_embedding_layers=False)
        save_processor(load_processor(models["trained"]), folder)
        point = {} if folder == run else {"point_of": "sha256:run"}
        content = made_up.manifest(
            method="npo",
            setting="complete",
            steps=step,
            request="sha256:run",
            curve=[2, 4] if folder == run else [],
            validation={"forget": held_out, "retain": [], "seed": 0},
            **point,
        )
        (folder / "offside_run.json").write_text(json.dumps(content))
    return run


def curve(run: Path, data: Path, out: Path, **options: Any) -> dict[int, Results]:
    return evaluate_curve(run, data, "complete", config=CONFIG, out=out, **options)


@pytest.fixture(scope="module")
def evaluated(run: Path, small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Results]:
    return curve(run, small_data, tmp_path_factory.mktemp("out") / "curve")


def test_every_point_is_evaluated_as_it_would_be_alone(
    run: Path, small_data: Path, evaluated: dict[int, Results], tmp_path: Path
) -> None:
    assert list(evaluated) == [2, 4, 6]
    for step, folder in points_of(run).items():
        alone = evaluate(folder, None, small_data, "complete", "light", config=CONFIG, out=tmp_path / str(step))
        for name in FILES:
            assert (evaluated[step].path / name).read_bytes() == (alone.path / name).read_bytes(), (step, name)
    assert len({r.meta.model.digest for r in evaluated.values()}) == 3
    likely = [tuple(r.samples["probability"]) for r in evaluated.values()]
    assert len(set(likely)) == 3, "the adapters differ, and so do the answers"


def test_the_base_is_loaded_once(run: Path, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from offside_data.vlm import models as loading

    plain, loaded = loading._load_plain, []
    monkeypatch.setattr(loading, "_load_plain", lambda *args, **kw: (loaded.append(args[0]), plain(*args, **kw))[1])
    curve(run, small_data, tmp_path / "out")
    assert len(loaded) == 1


def test_the_suite_is_light(evaluated: dict[int, Results]) -> None:
    meta = evaluated[2].meta
    assert meta.suite == "light"
    assert set(meta.metrics) == {"value_match", "refusal", "choice_accuracy", "probability", "rank", "degenerate"}


def test_what_the_run_was_stopped_by_is_asked_and_not_counted(evaluated: dict[int, Results]) -> None:
    for results in evaluated.values():
        held_out = results.meta.model.run.validation.record_ids
        samples = results.samples
        marked = samples.filter("held_out")
        assert set(marked["record_id"]) <= held_out
        assert set(samples.filter(~pl.col("held_out"))["record_id"]).isdisjoint(held_out)
        assert marked.height > 0
        for entry in results.aggregates:
            if entry.slice == "forget" and entry.scope is None and entry.metric == "value_match":
                rows = samples.filter(slice="forget", variant=entry.variant, held_out=False)
                assert entry.n_scored + entry.n_skipped == rows.height
                assert entry.value == pytest.approx(rows["value_match"].mean())


def test_compare_takes_the_folder_for_all_its_points(evaluated: dict[int, Results]) -> None:
    out = evaluated[2].path.parent
    assert [r.path for r in load_all([out])] == [r.path for r in evaluated.values()]


def test_an_interruption_leaves_no_trace(
    run: Path, small_data: Path, evaluated: dict[int, Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, left = SavedBatches.save, [6]

    def dying(self: SavedBatches, *args: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        save(self, *args)

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(SavedBatches, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            curve(run, small_data, out)
    assert (out / "step-000002" / "results.json").is_file()
    assert not (out / "curve.json").exists()
    with pytest.raises(ResultsError, match="no finished evaluation here"):
        load_all([out])
    before = (out / "step-000002" / "results.json").stat().st_mtime_ns
    curve(run, small_data, out)
    assert (out / "step-000002" / "results.json").stat().st_mtime_ns == before
    for step, results in evaluated.items():
        for name in FILES:
            assert (out / f"step-{step:06d}" / name).read_bytes() == (results.path / name).read_bytes()


def test_mistakes_are_named(
    run: Path, models: dict[str, Path], small_data: Path, evaluated: dict[int, Results], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"no offside_run\.json"):
        curve(models["trained"], small_data, tmp_path / "out")
    bare = tmp_path / "bare"
    shutil.copytree(run, bare, ignore=shutil.ignore_patterns("curve"))
    with pytest.raises(UsageError, match=r"has no curve\. Make the run with --curve-steps"):
        curve(bare, small_data, tmp_path / "out")
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "curve/step-000004/offside_run.json").unlink()
    with pytest.raises(UsageError, match="step-000004: a point of the curve without"):
        curve(damaged, small_data, tmp_path / "out")
    with pytest.raises(OutputExistsError, match="evaluation of one model"):
        curve(run, small_data, evaluated[2].path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "curve.json").write_text("[1, 2]")
    with pytest.raises(OutputExistsError, match="nothing that we wrote"):
        curve(run, small_data, tmp_path / "theirs")
    (tmp_path / "theirs" / "curve.json").write_text('{"schema": 1, "setti')
    with pytest.raises(OutputExistsError, match=r"no valid JSON\. If an evaluation of a curve wrote it, delete"):
        curve(run, small_data, tmp_path / "theirs")
    (tmp_path / "theirs" / "curve.json").write_text('{"points": 1}')
    with pytest.raises(ResultsError, match="not a list of points"):
        load_all([tmp_path / "theirs"])


def test_an_adapter_of_another_size_is_not_swapped_in(run: Path, models: dict[str, Path], tmp_path: Path) -> None:
    model = load_model(run, device="cpu")
    swap_adapter(model, run / "curve/step-000002")
    assert weights_digest(model) == weights_digest(load_model(run / "curve/step-000002", device="cpu"))
    other = tmp_path / "other"
    shutil.copytree(run / "curve/step-000004", other)
    config = json.loads((other / "adapter_config.json").read_text()) | {"lora_alpha": 3}
    (other / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="another lora_alpha"):
        swap_adapter(model, other)
    (other / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="incomplete"):
        swap_adapter(model, other)
    assert model_digest(run) != model_digest(run / "curve/step-000002")
