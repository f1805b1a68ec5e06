"""Sweeps: what is chosen, by what, and that a killed one goes on with the same trials."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import OutputExistsError, UsageError
from offside_data.vlm import Encoder, load_model
from offside_data.vlm.digest import weights_digest
from offside_unlearn import Run, RunOptions, Sweep, sweep, sweeping
from offside_unlearn.cli import main
from offside_unlearn.cli.sweep import command_for as sweep_command
from offside_unlearn.space import SearchChoices, SearchRange
from offside_unlearn.trials import Trial, TrialStudy

FIXED: dict[str, Any] = {
    "batch_size": 6,
    "retain_ratio": 1,
    "schedule": "constant",
    "validation_tokens": 12,
    "collapse_keeping": 0,
    "collapse_broken": 1,
}
SEARCH = {"lr": SearchChoices((1e-7, 2e-2), "given"), "max_steps": SearchChoices((2, 6), "given")}
TYPED = ["--search", "lr=1e-7,2e-2", "--search", "max_steps=2,6"]
OPTIONS = RunOptions(device="cpu")
PROGRAM = "import sys\nfrom offside_unlearn.cli import main\nmain(sys.argv[1:])"


def swept(model: Path, league: OffsideDataset, out: Path, method: str = "grad_ascent", **how: Any) -> Sweep:
    given = {"search": SEARCH, "trials": 4, "at": "forgetting=0.5", **how}
    config = given.pop("config", FIXED)
    return sweep(method, model, league, "complete", config, out, given.pop("options", OPTIONS), **given)


def told(sweep: Sweep) -> list[tuple[Any, ...]]:
    return [(dict(trial.options), trial.outcome, dict(trial.found), trial.why) for trial in sweep.trials]


@pytest.fixture(scope="module")
def undisturbed(vanilla: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, set]:
    """A sweep, and the ids of all records that a model was asked about."""
    asked: set[str] = set()
    encode = Encoder.encode_prompt

    def noted(self: Encoder, row: Any, **more: Any) -> Any:
        asked.add(row["record_id"])
        return encode(self, row, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "encode_prompt", noted)
        found = swept(vanilla, league, tmp_path_factory.mktemp("sweeps") / "a ? of%20them", trials=6)
    return found, asked


def test_it_chooses_what_forgets_enough_and_keeps_the_most(undisturbed: tuple[Sweep, set]) -> None:
    found, _ = undisturbed
    assert len(found.trials) == 4, "there are no more in this space, and none is tried twice"
    assert {trial.outcome for trial in found.trials} == {"reached", "short"}, "else there is nothing to choose"
    reached = [trial for trial in found.trials if trial.outcome == "reached"]
    assert all(trial.found["forgetting"] >= 0.5 for trial in reached)
    assert found.best in reached
    assert found.best.found["keeping"] == max(trial.found["keeping"] for trial in reached)
    assert found.best.options["lr"] == 2e-2
    assert found.nearest is found.best
    assert [path.name for path in (found.path / "runs").iterdir()] == [found.run.name], "the others are deleted"
    assert {path.name for path in found.path.iterdir()} == {"sweep.json", "study.db", "best.yaml", "runs"}


def test_it_asks_nothing_that_a_report_counts(undisturbed: tuple[Sweep, set], league: OffsideDataset) -> None:
    found, asked = undisturbed
    run = Run.open(found.run)
    assert asked == run.manifest.not_counted == found.held_out.record_ids
    counted = {r for part in ("forget", "retain") for r in league.records("multimodal", part)["record_id"]} - asked
    assert len(counted) > len(asked)


def test_what_changes_a_trial_tells_sweeps_apart(undisturbed: tuple[Sweep, set]) -> None:
    found, _ = undisturbed
    asked = json.loads((found.path / "sweep.json").read_text(encoding="utf-8"))["asked"]
    names = {field.name for field in dataclasses.fields(RunOptions)}
    assert names - asked.keys() == {"force", "device", "checkpoint_seconds", "report_to"}
    options = RunOptions(quantization="nf4", dtype="bfloat16", max_pixels=9, limit=3, tune="all", seed=2)
    command = sweep_command(found, "complete", options, {"model": "M", "data": "D"})
    typed = {"--quantization nf4", "--dtype bfloat16", "--max-pixels 9", "--limit 3", "--tune all", "--seed 2"}
    assert all(words in command for words in typed)


def test_a_run_with_what_was_found_is_the_chosen_one(
    undisturbed: tuple[Sweep, set], vanilla: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    """By the command that the sweep prints."""
    found, _ = undisturbed
    arguments = ["--model", vanilla, "--data", league.path, "--setting", "complete", "--at", "forgetting=0.5"]
    arguments += ["--device", "cpu", "--trials", "4", *TYPED]
    fixed = tmp_path / "fixed.yaml"
    fixed.write_text(json.dumps(FIXED))
    words = ["sweep", "grad_ascent", found.path, *arguments, "--config", fixed]
    again = CliRunner().invoke(main, list(map(str, words)))
    assert again.exit_code == 0, again.output
    assert "trial 0, 1 of" not in again.stderr, "finished trials are used"
    lines = again.stdout.splitlines()
    asked = "grad_ascent at forgetting 0.5, on a validation part of 1 record to be forgotten and 3 that stay"
    assert " ".join(" ".join(lines).split()).startswith(asked)
    assert f"best: trial {found.best.number}, {found.config}, {found.run}" in lines
    command = shlex.split(lines[-1])
    assert command[:3] == ["offside-unlearn", "run", "grad_ascent"]
    command[3] = str(tmp_path / "run")
    ran = CliRunner().invoke(main, command[1:])
    assert ran.exit_code == 0, ran.output
    run, chosen = Run.open(tmp_path / "run"), Run.open(found.run)
    assert run.manifest.request == chosen.manifest.request
    assert digest(run.path) == digest(chosen.path)
    assert run.manifest.validation == found.held_out
    told_json = CliRunner().invoke(main, list(map(str, [*words, "--json"])))
    document = json.loads(told_json.stdout)
    assert (document["best"], document["config"]) == (found.best.number, str(found.config))
    assert [trial["found"] for trial in document["trials"]] == [dict(trial.found) for trial in found.trials]


def digest(folder: Path) -> str:
    return weights_digest(load_model(folder, device="cpu"))


class StoppedError(Exception):
    """Instead of a kill."""


def test_a_stopped_sweep_goes_on_with_the_same_trials(
    vanilla: Path,
    league: OffsideDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: tuple[Sweep, set],
) -> None:
    """Stopped in its second run, and after its third one before that was noted; and with more trials than at first."""
    whole, _ = undisturbed
    unlearn, made = sweeping.unlearn, 0

    def stopping(*args: Any, **kwargs: Any) -> Run:
        nonlocal made
        made += 1
        if made == 2:
            raise StoppedError
        run = unlearn(*args, **kwargs)
        if made == 4:
            raise StoppedError
        return run

    monkeypatch.setattr(sweeping, "unlearn", stopping)
    for trials in (2, 4):
        with pytest.raises(StoppedError):
            swept(vanilla, league, tmp_path / "sweep", trials=trials)
    found = swept(vanilla, league, tmp_path / "sweep", trials=4)
    assert made == 6, "finished trials aren't run again"
    assert told(found) == told(whole)
    assert (found.best, found.config.read_text()) == (whole.best, whole.config.read_text())


@pytest.mark.full
def test_a_killed_sweep_ends_as_an_undisturbed_one(
    vanilla: Path, league: OffsideDataset, tmp_path: Path, undisturbed: tuple[Sweep, set]
) -> None:
    """`kill -9` before the first run, in the second and when the third is written, the same command again each time."""
    whole, _ = undisturbed
    fixed = tmp_path / "fixed.yaml"
    fixed.write_text(json.dumps(FIXED))
    out = tmp_path / "sweep"
    arguments = ["sweep", "grad_ascent", out, "--model", vanilla, "--data", league.path, "--setting", "complete"]
    arguments += ["--at", "forgetting=0.5", "--device", "cpu", "--trials", "4", "--config", fixed, "--json"]
    arguments += [*TYPED, "--checkpoint-seconds", "0"]
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = out / "runs"
    for moment in (out / "sweep.json", runs / ".trial-0001.work", runs / "trial-0002" / "offside_run.json"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 300
        while not moment.exists():
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (out / "best.yaml").exists()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    document = json.loads(ended.stdout)
    assert [trial["options"] for trial in document["trials"]] == [dict(trial.options) for trial in whole.trials]
    assert [trial["found"] for trial in document["trials"]] == [dict(trial.found) for trial in whole.trials]
    assert document["best"] == whole.best.number
    assert (out / "best.yaml").read_text() == whole.config.read_text()
    assert digest(Path(document["run"])) == digest(whole.run)
    assert [path.name for path in (out / "runs").iterdir()] == [whole.run.name]


def test_the_next_options_follow_from_seed_number_and_trials_alone(tmp_path: Path) -> None:
    space = {"lr": SearchRange(1e-5, 1e-3), "beta": SearchChoices((0.1, 0.5, 1.0)), "max_steps": SearchRange(5, 80)}

    def options(seed: int, name: str) -> list[dict[str, Any]]:
        study, done = TrialStudy(tmp_path / name, space, 0.8, seed), []
        for number in range(13):  # Beyond those that are drawn blindly.
            chosen = study.ask(done)
            found = {"forgetting": 0.9, "keeping": chosen["lr"] * 1000, "broken": 0.0}
            done.append(Trial(number, chosen, "reached", found))
            study.add(done[-1])
            if number in (3, 11):  # As after a kill.
                study = TrialStudy(tmp_path / name, space, 0.8, seed)
                assert study.trials() == done
        return [dict(trial.options) for trial in done]

    first = options(0, "a.db")
    assert TrialStudy(tmp_path / "b.db", space, 0.8, 1).ask([]) != first[0]
    assert len({json.dumps(chosen) for chosen in first}) == 13
    assert all(1e-5 <= chosen["lr"] <= 1e-3 and 5 <= chosen["max_steps"] <= 80 for chosen in first)
    late = sum(chosen["lr"] for chosen in first[10:]) / 3
    assert late > sum(chosen["lr"] for chosen in first[:10]) / 10, "it learns where more is kept"


def test_order_of_trials() -> None:
    def trial(number: int, outcome: Any, forgetting: float, keeping: float) -> Trial:
        return Trial(number, {}, outcome, {"forgetting": forgetting, "keeping": keeping, "broken": 0.0})

    worst_first = [
        Trial(0, {}, "failed", why="no"),
        trial(1, "collapsed", 1.0, 0.9),
        trial(2, "short", -30.0, 1.0),
        trial(3, "short", 0.7, 1.0),
        trial(4, "reached", 0.8, 0.0),
        trial(5, "reached", 0.8, 0.9),
        trial(7, "reached", 0.9, 0.9),
        trial(6, "reached", 0.9, 0.9),
    ]
    assert sorted(worst_first[::-1], key=lambda t: t.rank(0.8)) == worst_first


def test_what_forgets_too_little_is_no_choice(vanilla: Path, league: OffsideDataset, tmp_path: Path) -> None:
    arguments = ["sweep", "grad_ascent", tmp_path / "sweep", "--model", vanilla, "--data", league.path]
    arguments += ["--setting", "complete", "--trials", "1", "--search", "lr=1e-8,1e-7", "--set", "max_steps=1"]
    arguments += ["--set", "batch_size=6", "--set", "retain_ratio=1", "--device", "cpu", "--keep", "none", "--json"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 1, result.output
    assert "none of 1 trial forgot 0.8 of the validation part" in result.stderr
    assert "Nearest: trial 0 (lr=1e-0" in result.stderr
    document = json.loads(result.stdout)
    assert (document["best"], document["config"], document["command"], document["nearest"]) == (None, None, None, 0)
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == {"sweep.json", "study.db"}


def test_a_run_that_breaks_is_a_trial_and_wrappers_are_searched_with_the_method(
    vanilla: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    search = {
        "lr": SearchChoices((1e30,)),
        "rho": SearchChoices((0.05,)),
        "lambda_r": SearchChoices((0.0,)),
        "beta": SearchChoices((0.1,)),
    }
    config = {**FIXED, "max_steps": 3}
    found = swept(vanilla, league, tmp_path / "sweep", "npo+sam", search=search, config=config, trials=1)
    assert dict(found.trials[0].options) == {"beta": 0.1, "lambda_r": 0.0, "lr": 1e30, "rho": 0.05}
    assert (found.trials[0].outcome, found.best) == ("failed", None)
    assert "the loss is nan" in found.trials[0].why


def test_mistakes_are_named(
    vanilla: Path,
    tiny: Path,
    league: OffsideDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: tuple[Sweep, set],
) -> None:
    out = tmp_path / "sweep"
    for match, how in {
        "guardrail changes no weights": {"method": "guardrail"},
        "lr: searched and fixed": {"config": {**FIXED, "lr": 1e-4}},
        "validation: says by what is chosen": {"search": {"validation": SearchChoices((1, 2))}},
        "beta=-1,1: Config: beta must be positive": {"method": "npo", "search": {"beta": SearchChoices((-1, 1))}},
        "unknown option 'ltr'": {"search": {"ltr": SearchChoices((1, 2))}},
        "--at takes forgetting=LEVEL": {"at": "keeping=0.8"},
        "nothing is left to search": {"method": "manu", "config": {"share": 0.1}, "search": {}},
        "changes the model's own weights": {"method": "manu", "config": {}, "search": {}},
        "undo shrinks": {"method": "npo+undo"},
    }.items():
        with pytest.raises(UsageError, match=match):
            swept(vanilla, league, out, **how)
    with pytest.raises(UsageError, match="answers none of the validation questions to be forgotten"):
        swept(tiny, league, out)
    assert list(tmp_path.iterdir()) == []
    done, _ = undisturbed
    with pytest.raises(OutputExistsError, match=r"another sweep \(other at, space\)"):
        swept(vanilla, league, done.path, at="forgetting=0.6", search={"lr": SearchChoices((1e-3, 2e-3))})
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="nothing in it is ours"):
        swept(vanilla, league, out, options=RunOptions(device="cpu", force=True))
    (done.path / "study.db").rename(tmp_path / "study.db")
    (done.path / "study.db").write_text("no database, but long enough to be looked at as one " * 20)
    with pytest.raises(UsageError, match=r"study\.db: the sweep's trials can't be read: .*not a database"):
        swept(vanilla, league, done.path)
    (tmp_path / "study.db").rename(done.path / "study.db")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="made by one process"):
        swept(vanilla, league, out)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"pip install 'offside-unlearn\[sweep\]'"):
        swept(vanilla, league, out)


def test_its_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom click.testing import CliRunner\nfrom offside_unlearn.cli import main\n"
    code += "CliRunner().invoke(main, ['sweep', '--help'])\nprint({'torch', 'optuna'} & set(sys.modules))"
    began = time.process_time()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "set()"
    assert time.process_time() - began < 1
