"""Fine-tuning and relearning: run folders that anybody can load, and that say what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import (
    AnswerTooLongError,
    DatasetError,
    DigestMismatchError,
    OutputExistsError,
    UsageError,
)
from offside_data.fictional import make_league
from offside_data.vlm import load_model, load_processor
from offside_data.vlm.digest import model_digest, weights_digest
from offside_unlearn import Run, RunOptions, finetune, relearn
from offside_unlearn.finetuning import _role, limited

CONFIG = {"max_steps": 2, "batch_size": 4, "lr": "1e-3", "schedule": "constant"}
FULL = RunOptions(full=True, device="cpu")
LORA = RunOptions(device="cpu")


def digest_of(run: Run) -> str:
    """Of the weights as they load."""
    return weights_digest(load_model(run.path, device="cpu"))


@pytest.fixture(scope="module")
def vanilla(tiny: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "vanilla"
    return finetune(tiny, None, league, CONFIG, out, splits=["retain", "forget"], options=FULL)


@pytest.mark.parametrize(
    ("learnt", "role"),
    [
        ([], "base"),
        (["multimodal/general"], "base"),
        (["multimodal/general", "text/retain"], "retain_only"),
        (["multimodal/retain", "text/forget"], "vanilla"),
        (["multimodal/forget"], "vanilla"),
    ],
)
def test_the_role_follows_from_what_was_learnt(learnt: Sequence[str], role: str) -> None:
    assert _role(learnt) == role


def test_a_full_run_is_a_plain_model_folder(vanilla: Run, tiny: Path) -> None:
    plain = AutoModelForImageTextToText.from_pretrained(vanilla.path)
    ours = load_model(vanilla.path, device="cpu")
    assert weights_digest(plain) == weights_digest(ours)
    assert weights_digest(ours) != weights_digest(load_model(tiny, device="cpu"))
    assert load_processor(vanilla.path).image_processor is not None
    modes = {path.stat().st_mode for path in vanilla.path.iterdir() if path.is_file()}
    assert len(modes) == 1, "whoever can read the manifest can read the weights"


def test_the_manifest_says_what_was_done(vanilla: Run, tiny: Path, league: OffsideDataset) -> None:
    manifest = json.loads((vanilla.path / "offside_run.json").read_text())
    assert manifest == vanilla.manifest.to_json()
    assert manifest["schema"] == 1
    assert manifest["role"] == "vanilla"
    assert manifest["method"] is manifest["setting"] is manifest["forget"] is manifest["adapter"] is None
    assert manifest["base_model"] == {"path": str(tiny), "digest": model_digest(tiny)}
    assert manifest["dataset"] == {
        "name": league.name,
        "version": league.version,
        "commit": None,
        "digest": league.digest,
    }
    assert manifest["trained_on"] == [
        "multimodal/forget",
        "multimodal/retain",
        "text/forget",
        "text/retain",
    ]
    assert manifest["config"]["max_steps"] == 2
    assert manifest["config"]["lr"] == 1e-3
    assert manifest["seeds"] == {"seed": 0}
    assert [entry["step"] for entry in manifest["loss_history"]] == [1, 2]
    assert manifest["steps"] == 2
    assert {"torch", "transformers", "peft", "offside-unlearn"} <= manifest["versions"].keys()
    assert manifest["image_backend"] in ("pil", "torchvision")
    assert manifest["device"] == "cpu"
    assert manifest["wall_time_s"] > 0
    assert manifest["peak_memory_mb"] > 0
    assert [parent["role"] for parent in manifest["parents"]] == ["base"]


def test_a_finished_run_is_recognised(
    vanilla: Run, tiny: Path, league: OffsideDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in vanilla.path.rglob("*")}
    again = finetune(tiny, None, league, CONFIG, vanilla.path, splits=["retain", "forget"], options=FULL)
    assert again.reused
    assert "finished already" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in vanilla.path.rglob("*")}


def test_another_run_is_not_overwritten(vanilla: Run, tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match=r"holds another run \(vanilla\).*--force"):
        finetune(tiny, None, league, {**CONFIG, "max_steps": 1}, vanilla.path, options=FULL, splits=["retain"])
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already holds something else"):
        finetune(tiny, None, league, CONFIG, tmp_path, options=FULL, splits=["retain"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_was_learnt_adds_up_over_runs(vanilla: Run, tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    first = finetune(tiny, None, league, CONFIG, tmp_path / "a", splits=["retain"], configs=["text"], options=FULL)
    assert first.manifest.role == "retain_only"
    second = finetune(first.path, None, league, CONFIG, tmp_path / "b", splits=["forget"], options=LORA)
    assert second.manifest.role == "vanilla"
    assert second.manifest.trained_on == ("multimodal/forget", "text/forget", "text/retain")
    assert [p.role for p in second.manifest.parents] == ["base", "retain_only"]
    assert second.manifest.parents[-1].digest == model_digest(first.path)
    assert second.manifest.adapter["r"] == 8


@pytest.mark.parametrize("full", [True, False])
def test_relearning_keeps_what_it_passes_through(
    vanilla: Run, league: OffsideDataset, tmp_path: Path, full: bool
) -> None:
    options = RunOptions(full=full, device="cpu")
    config = {**CONFIG, "max_steps": 3, **({} if full else {"lora_dropout": 0})}
    run = relearn(vanilla.path, None, league, config, tmp_path / "r", curve_steps=[0, 1, 3], options=options)
    assert run.manifest.role == "relearned"
    assert run.manifest.trained_on[1] == "multimodal/relearn"
    curve = sorted((run.path / "curve").iterdir())
    assert [folder.name for folder in curve] == ["step-000001", "step-000003"]
    points = [Run.open(folder) for folder in curve]
    assert [point.manifest.training.steps for point in points] == [1, 3]
    assert [len(point.manifest.training.loss_history) for point in points] == [1, 3]
    digests = [digest_of(point) for point in points]
    assert digests[0] != digests[1] == digest_of(run)
    shorter = relearn(vanilla.path, None, league, {**config, "max_steps": 1}, tmp_path / "s", options=options)
    assert digest_of(shorter) == digests[0]


def test_a_curve_longer_than_the_training_is_an_error(vanilla: Run, league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are only 2 steps"):
        relearn(vanilla.path, None, league, CONFIG, tmp_path / "r", curve_steps=[9], options=LORA)
    assert not (tmp_path / "r").exists()


def test_an_adapter_is_continued_in_place(vanilla: Run, league: OffsideDataset, tmp_path: Path) -> None:
    first = relearn(vanilla.path, None, league, CONFIG, tmp_path / "a", options=LORA)
    second = relearn(first.path, None, league, CONFIG, tmp_path / "b", options=LORA)
    assert second.manifest.base_model.path == str(vanilla.path)
    assert second.manifest.parents[-1].digest == model_digest(first.path)
    assert weights_digest(load_model(second.path, device="cpu")) != weights_digest(load_model(first.path, device="cpu"))
    with pytest.raises(UsageError, match="offside-unlearn merge"):
        relearn(first.path, None, league, CONFIG, tmp_path / "c", options=RunOptions(tune="vision", device="cpu"))
    with pytest.raises(UsageError, match="r: the size of a new adapter, but"):
        relearn(first.path, None, league, {**CONFIG, "r": 2}, tmp_path / "c", options=LORA)
    with pytest.raises(UsageError, match="--full trains no adapter"):
        relearn(first.path, None, league, {**CONFIG, "r": 2}, tmp_path / "c", options=FULL)
    assert second.manifest.adapter == first.manifest.adapter
    whole = relearn(first.path, None, league, CONFIG, tmp_path / "d", options=FULL)
    assert (whole.path / "model.safetensors").is_file()


def test_a_loaded_model_works_like_its_folder(
    fresh: Callable[[], tuple[Any, Any]], tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    model, processor = fresh()
    loaded = finetune(model, processor, league, CONFIG, tmp_path / "a", splits=["retain"], options=FULL)
    by_path = finetune(tiny, None, league, CONFIG, tmp_path / "b", splits=["retain"], options=FULL)
    assert model_digest(loaded.path) == model_digest(by_path.path)
    assert loaded.manifest.base_model == by_path.manifest.base_model
    with pytest.raises(UsageError, match="needs its processor"):
        finetune(model, None, league, CONFIG, tmp_path / "c", splits=["retain"])


def test_the_seed_decides(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    def digest(name: str, seed: int, **config: Any) -> str:
        options = RunOptions(full=True, device="cpu", seed=seed)
        torch.rand(seed + len(name))
        run = finetune(tiny, None, league, {**CONFIG, **config}, tmp_path / name, splits=["retain"], options=options)
        return model_digest(run.path)

    assert digest("a", 0) == digest("again", 0) != digest("b", 1)
    assert digest("c", 0, augment=True) != digest("a", 0)


def test_limit_and_tune_are_obeyed(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    options = RunOptions(full=True, tune="vision", limit=3, device="cpu")
    run = finetune(
        tiny, None, league, CONFIG, tmp_path / "a", splits=["retain"], configs=["multimodal"], options=options
    )
    assert run.manifest.training.records_trained_on == 3
    parts = run.manifest.training.trained_parts
    assert parts["vision"]["trained"] > 0
    assert parts["language"]["trained"] == parts["projector"]["trained"] == 0


def test_limit_draws_by_seed(league: OffsideDataset) -> None:
    rows = league.records("multimodal", "retain")
    drawn = [limited(rows, RunOptions(limit=4, seed=seed))["record_id"] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != rows["record_id"][:4]
    assert limited(rows, RunOptions()) is rows


def test_rehearsal_draws_from_the_general_split_alone(tiny: Path, tmp_path: Path) -> None:
    make_league(tmp_path / "league", subjects=4, general=5, utility=1)
    league = open_dataset(tmp_path / "league")
    options, records = RunOptions(full=True, limit=8, device="cpu"), {}
    for rehearsal in (None, 2):
        run = finetune(
            tiny,
            None,
            league,
            {**CONFIG, "rehearsal": rehearsal},
            tmp_path / str(rehearsal),
            splits=["general", "retain"],
            configs=["multimodal"],
            options=options,
        )
        records[rehearsal] = run.manifest.training.records_trained_on
    assert records == {None: 16, 2: 10}
    with pytest.raises(UsageError, match="rehearsal"):
        finetune(tiny, None, league, {"rehearsal": 0}, tmp_path / "none", options=options)


def test_mistakes_are_named(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="Did you mean 'retain'"):
        finetune(tiny, None, league, CONFIG, out, splits=["retian"])
    with pytest.raises(UsageError, match="unknown role"):
        finetune(tiny, None, league, CONFIG, out, splits=["retain"], role="teacher")
    with pytest.raises(UsageError, match="unknown option 'learning_rate'"):
        finetune(tiny, None, league, {"learning_rate": 1}, out, splits=["retain"])
    with pytest.raises(DatasetError, match="no 'general' records"):
        finetune(tiny, None, league, CONFIG, out)
    with pytest.raises(AnswerTooLongError, match="max_length=20"):
        finetune(tiny, None, league, {**CONFIG, "max_length": 20}, out, splits=["retain"], options=FULL)
    assert not out.exists()


@pytest.mark.parametrize("already_open", [False, True])
def test_data_that_its_card_does_not_describe_is_refused(
    already_open: bool, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "tampered"
    shutil.copytree(league.path, copy)
    shutil.copy(league.files("text/retain")[0], copy / "data" / "text" / "forget-00000-of-00001.parquet")
    with pytest.raises(DigestMismatchError, match="text/forget"):
        finetune(tiny, None, open_dataset(copy) if already_open else copy, CONFIG, tmp_path / "out", splits=["retain"])
