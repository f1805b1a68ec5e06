"""Presets: every value fits what it is for, and says where it is from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.run_manifest import read
from offside_unlearn import RunOptions
from offside_unlearn.cli import main
from offside_unlearn.cli._common import hyper_parameters
from offside_unlearn.finetuning import FinetuneConfig
from offside_unlearn.options import build_configs
from offside_unlearn.preset import load_preset, preset_names, values_of
from offside_unlearn.relearning import RelearnConfig
from offside_unlearn.tune import LoraOptions
from offside_unlearn.unlearning import read_options

CELLS = [(name, method) for name in preset_names() for method in load_preset(name).methods]
ARGUMENTS = {"full", "tune", "dtype", "max_pixels"}


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_the_published_ones_are_there() -> None:
    assert set(preset_names()) >= {
        "offside-paper",
        "mllmu-paper",
        "clear-paper",
        "umu-paper",
        "fiubench-paper",
        "open-unlearning",
        "tiny-demo",
    }


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_every_option_of_a_method_fits(name: str, method: str) -> None:
    part = load_preset(name).of("run", method)
    (method_config, config, lora), _, _ = read_options(method, values_of(part.options), (), None)
    given = {**vars(method_config), **vars(config), **vars(lora)}
    assert {key: given[key] for key in part.options} == values_of(part.options)
    assert set(part.arguments) <= ARGUMENTS
    options: Any = {key: value for key, value in values_of(part.arguments).items()}
    assert RunOptions(**options)


@pytest.mark.parametrize("name", preset_names())
def test_every_option_of_the_other_commands_fits(name: str) -> None:
    preset = load_preset(name)
    for command, config in (("finetune", FinetuneConfig), ("relearn", RelearnConfig)):
        assert build_configs(values_of(preset.of(command).options), config, LoraOptions)
    assert preset.url.startswith("https://")


def test_the_nearer_one_wins() -> None:
    preset = load_preset("offside-paper")
    assert values_of(preset.of("run", "npo").options)["r"] == 16
    assert values_of(preset.of("run", "grad_diff").options)["r"] == 8
    assert values_of(preset.of("run", "kl_min").arguments)["dtype"] == "float16"
    assert values_of(preset.of("finetune").arguments)["tune"] == "language"
    with pytest.raises(UsageError, match="has no 'rmu': it has grad_ascent, grad_diff, kl_min, npo, po"):
        preset.of("run", "rmu")
    with pytest.raises(UsageError, match="Did you mean 'offside-paper'"):
        load_preset("offside-papr")


def test_a_run_takes_it_and_what_is_typed_wins(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--setting", "complete", "--device", "cpu"]
    quick = ["--set", "max_steps=1", "--set", "batch_size=2"]
    preset = ["--preset", "offside-paper"]
    done = call("run", "npo+sam", tmp_path / "a", *where, *preset, "--dtype", "float32", *quick)
    assert done.exit_code == 0, done.stderr
    assert "offside-paper: Published runs take max_length=128" in done.stderr
    manifest = read(tmp_path / "a")
    assert manifest is not None
    assert manifest.training is not None
    assert manifest.adapter is not None
    assert (manifest.config["beta"], manifest.config["accumulation"], manifest.config["batch_size"]) == (0.9, 4, 2)
    assert (manifest.adapter["r"], manifest.training.dtype) == (16, "float32")
    assert manifest.training.trained_parts["language"]["modules"] == 2 * 4, "q and v of each layer"
    full = call("run", "npo", tmp_path / "b", *where, *preset, "--full", "--tune", "language", *quick)
    assert full.exit_code == 0, full.stderr
    whole = read(tmp_path / "b")
    assert whole is not None
    assert whole.training is not None
    assert (whole.adapter, whole.training.tune, whole.training.dtype) == (None, "language", "bfloat16")
    refused = call("run", "rmu", tmp_path / "c", *where, *preset)
    assert (refused.exit_code, "has no 'rmu'" in refused.stderr) == (2, True)
    planned = call("plan", "npo", *where, *preset, "--json")
    assert json.loads(planned.stdout)["phases"][0]["accumulation"] == 4


def test_other_commands_take_it(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--device", "cpu", "--preset", "clear-paper"]
    where += ["--tune", "language"]  # Of so few records a batch may hold no picture.
    quick = ["--set", "max_steps=1", "--set", "batch_size=2"]
    for command in ("finetune", "relearn"):
        more = ["--splits", "retain"] if command == "finetune" else []
        done = call(command, tmp_path / command, *where, *more, *quick)
        assert done.exit_code == 0, done.stderr
        manifest = read(tmp_path / command)
        assert manifest is not None
        assert manifest.config["max_length"] == 2048


def test_an_adapter_is_continued_as_it_is(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--data", league.path, "--device", "cpu", "--preset", "offside-paper", "--dtype", "float32"]
    quick = ["--set", "max_steps=1", "--set", "batch_size=2", "--set", "accumulation=1"]
    made = call("finetune", tmp_path / "a", "--model", tiny, *where, *quick, "--splits", "retain", "--set", "r=4")
    assert made.exit_code == 0, made.stderr
    done = call("relearn", tmp_path / "b", "--model", tmp_path / "a", *where, *quick)
    assert done.exit_code == 0, done.stderr
    assert "offside-paper: lora_alpha, lora_dropout, r, tune left out" in done.stderr
    manifest = read(tmp_path / "b")
    assert manifest is not None
    assert manifest.adapter is not None
    assert (manifest.adapter["r"], manifest.config["max_length"]) == (4, 384)
    typed = call("relearn", tmp_path / "c", "--model", tmp_path / "a", *where, *quick, "--set", "r=8")
    assert (typed.exit_code, "r: the size of a new adapter" in typed.stderr) == (2, True)


def test_an_attack_has_rates_and_steps_of_its_own(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--device", "cpu", "--preset", "fiubench-paper"]
    attack = ["--attack", "benign", "--rates", "1e-3", "--steps", "1", "--tune", "language"]
    done = call("relearn", tmp_path / "a", *where, *attack)
    assert done.exit_code == 0, done.stderr
    manifest = read(tmp_path / "a" / "rate-0.001")
    assert manifest is not None
    assert manifest.training is not None
    config = manifest.config
    assert (config["lr"], config["schedule"], config["weight_decay"]) == (1e-3, "constant", 0.01)
    assert manifest.training.steps == 1
    typed = call("relearn", tmp_path / "b", *where, *attack, "--set", "lr=1e-3")
    assert (typed.exit_code, "lr: an attack takes --rates instead" in typed.stderr) == (2, True)


def test_typed_epochs_win_over_the_steps_of_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("max_steps: 7\nlr: 1e-4\n", encoding="utf-8")
    preset = {"max_steps": 60, "batch_size": 14}
    for values, expected in (
        (("epochs=2",), {"batch_size": 14, "lr": "1e-4", "epochs": "2"}),
        ((), {"batch_size": 14, "lr": "1e-4", "max_steps": 7}),
        (("max_steps=3", "epochs=2"), {"batch_size": 14, "lr": "1e-4", "epochs": "2", "max_steps": "3"}),
    ):
        given = {"preset_options": preset, "config_file": file, "assignments": values}
        found = hyper_parameters(given)
        assert {key: str(value) for key, value in found.items()} == {k: str(v) for k, v in expected.items()}


def test_they_are_shown_with_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = call("presets").stdout
    assert "open-unlearning" in listed
    assert [row["name"] for row in json.loads(call("presets", "--json").stdout)] == preset_names()
    shown = call("presets", "offside-paper").stdout
    assert "beta=0.9 (code)" in " ".join(shown.split())
    assert "* po has one fixed refusal there, a list here." in shown
    whole = json.loads(call("presets", "offside-paper", "--json").stdout)
    assert whole["methods"]["npo"]["options"]["beta"] == [0.9, "code"]
    assert call("presets", "nothing").exit_code == 2


def test_long_records_are_cut_where_that_is_asked_for(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--setting", "complete", "--device", "cpu"]
    quick = ["--set", "max_steps=1", "--set", "batch_size=2", "--set", "max_length=36"]
    refused = call("run", "grad_diff", tmp_path / "a", *where, *quick)
    assert (refused.exit_code, "more than max_length=36" in refused.stderr) == (1, True)
    done = call("run", "grad_diff", tmp_path / "a", *where, *quick, "--set", "cut_long=true")
    assert done.exit_code == 0, done.stderr
    assert re.search(r"[1-9]\d* records cut at max_length=36, as asked for by cut_long.", done.stderr)
    nothing_left = call(
        "run", "grad_diff", tmp_path / "b", *where, *quick, "--set", "cut_long=true", "--set", "max_length=20"
    )
    assert (nothing_left.exit_code, "more than max_length=20" in nothing_left.stderr) == (1, True)
