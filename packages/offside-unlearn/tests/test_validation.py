"""Curves, and runs that stop by what a validation part says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import load_model
from offside_data.vlm.digest import weights_digest
from offside_unlearn import Run, RunOptions, relearn, unlearn
from offside_unlearn.unlearning import with_curve
from offside_unlearn.validation import ValidationConfig, hold_out, parse_until

ASCENT: dict[str, Any] = {"batch_size": 6, "lr": 5e-3, "retain_ratio": 1}
TO_THE_END: dict[str, Any] = {"collapse_keeping": 0, "collapse_broken": 1}
OPTIONS = RunOptions(device="cpu")


def ascent(model: Path, league: OffsideDataset, out: Path, steps: list[int], until: str | None, **config: Any) -> Run:
    chosen = {**ASCENT, **config}
    return unlearn("grad_ascent", model, None, league, "complete", chosen, out, OPTIONS, curve_steps=steps, until=until)


def digest_of(folder: Path) -> str:
    return weights_digest(load_model(folder, device="cpu"))


def points_of(run: Run) -> list[Run]:
    return [Run.open(folder) for folder in sorted((run.path / "curve").iterdir())]


def test_a_curve_keeps_what_so_many_steps_make(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = ascent(tiny, league, tmp_path / "run", [2, 4], None, lora_dropout=0)
    assert run.manifest.training.steps == 4
    assert run.manifest.config["schedule"] == "constant"
    assert run.manifest.validation is None
    points = points_of(run)
    assert [point.manifest.training.steps for point in points] == [2, 4]
    assert [point.manifest.training.point_of for point in points] == [run.manifest.request] * 2
    assert run.manifest.training.point_of is None
    shorter = ascent(tiny, league, tmp_path / "shorter", [], None, lora_dropout=0, max_steps=2, schedule="constant")
    assert digest_of(points[0].path) == digest_of(shorter.path) != digest_of(points[1].path) == digest_of(run.path)


def test_what_is_said_of_the_schedule_and_the_length_wins() -> None:
    assert with_curve({}, (5, 20), None) == {"schedule": "constant", "max_steps": 20}
    assert with_curve({"schedule": "linear", "max_steps": 30}, (5,), None) == {"schedule": "linear", "max_steps": 30}
    assert with_curve({"epochs": 2}, (5,), None) == {"schedule": "constant", "epochs": 2}
    assert with_curve({}, (), None) == {}


def test_a_run_stops_when_the_validation_part_is_forgotten(
    vanilla: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    run = ascent(vanilla, league, tmp_path / "run", [1, 2, 4, 8, 16, 400], "forgetting=0.5", **TO_THE_END)
    training = run.manifest.training
    assert training.stopped == "forgetting"
    assert training.until == "forgetting=0.5"
    assert training.steps < 400
    steps = [check["step"] for check in training.checks]
    assert steps == [0, *(p.manifest.training.steps for p in points_of(run))]
    assert [check["forgetting"] < 0.5 for check in training.checks[1:]] == [True] * (len(steps) - 2) + [False]
    held_out = run.manifest.validation
    private = {r["record_id"] for r in league.records("multimodal", "forget") if r["scope"] == "private"}
    assert set(held_out.forget) < private
    assert set(held_out.retain) < set(league.records("multimodal", "retain")["record_id"])
    assert set(held_out.forget) < set(run.manifest.forget.record_ids), "they are unlearned like the rest"
    point = points_of(run)[0].manifest
    assert point.validation == held_out
    assert (point.training.stopped, len(point.training.checks)) == (None, 2)
    back = relearn(run.path, None, league, {"max_steps": 1}, tmp_path / "back", options=OPTIONS)
    assert back.manifest.validation == held_out
    again = ascent(vanilla, league, tmp_path / "run", [1, 2, 4, 8, 16, 400], "forgetting=0.5", **TO_THE_END)
    assert again.reused


def test_a_part_is_held_out_without_stopping_by_it(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    """As of options that a sweep chose by it; the model, which knows nothing, isn't asked."""
    run = ascent(tiny, league, tmp_path / "run", [], None, max_steps=1, validation_seed=3, validation=2)
    kept = hold_out(
        league.records("multimodal", "forget"),
        {"multimodal/retain": league.records("multimodal", "retain")},
        ValidationConfig(validation_seed=3, validation=2),
    )
    assert (run.manifest.validation, run.manifest.training.until, run.manifest.training.stopped) == (kept, None, None)
    assert run.manifest.not_counted == kept.record_ids


def test_a_run_stops_when_the_model_collapses(vanilla: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = ascent(vanilla, league, tmp_path / "run", [4, 40, 400], "forgetting=1", lr=0.1)
    assert run.manifest.training.stopped == "collapse"
    last = run.manifest.training.checks[-1]
    assert last["keeping"] < 0.2 or last["broken"] > 0.5
    assert run.manifest.training.steps < 400


def test_a_run_that_does_not_get_there_says_so(vanilla: Path, league: OffsideDataset, tmp_path: Path) -> None:
    run = ascent(vanilla, league, tmp_path / "run", [1, 2], "forgetting=1", lr=1e-7)
    assert (run.manifest.training.stopped, run.manifest.training.steps) == ("steps", 2)
    assert run.manifest.training.checks[-1]["forgetting"] == 0


def test_all_seeds_hold_the_same_records_out(league: OffsideDataset) -> None:
    forget = league.records("multimodal", "forget")
    retain = {"multimodal/retain": league.records("multimodal", "retain")}
    drawn = hold_out(forget, retain, ValidationConfig())
    assert drawn == hold_out(forget, retain, ValidationConfig())
    assert (len(drawn.forget), len(drawn.retain)) == (1, 3), "a quarter at most"
    assert hold_out(forget, retain, ValidationConfig(validation=1)).retain[0] in drawn.retain
    other = [hold_out(forget, retain, ValidationConfig(validation_seed=seed)) for seed in range(1, 6)]
    assert any(part.retain != drawn.retain for part in other)


def test_a_part_that_is_too_small_is_an_error(league: OffsideDataset) -> None:
    forget = league.records("multimodal", "forget")
    few = forget.select([i for i, row in enumerate(forget) if row["scope"] == "private"][:1])
    with pytest.raises(UsageError, match="at least 2 are needed"):
        hold_out(few, {"r": forget}, ValidationConfig())
    with pytest.raises(UsageError, match="0 of the 6 records to stay"):
        hold_out(forget, {"r": forget.map(lambda row: {"value": {**row["value"], "kind": None}})}, ValidationConfig())


@pytest.mark.parametrize("text", ["0.9", "forgetting", "forgetting=", "forgetting=0", "forgetting=1.1", "keeping=0.5"])
def test_until_takes_a_level_of_forgetting(text: str) -> None:
    assert parse_until("forgetting=0.95") == 0.95
    with pytest.raises(UsageError, match="takes forgetting=LEVEL"):
        parse_until(text)


def test_mistakes_are_named(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="give them with --curve-steps"):
        ascent(tiny, league, out, [], "forgetting=0.9")
    with pytest.raises(UsageError, match="0 is no step"):
        ascent(tiny, league, out, [0, 2], None)
    with pytest.raises(UsageError, match="unknown option 'validate'"):
        ascent(tiny, league, out, [2], None, validate=3)
    with pytest.raises(UsageError, match="answers none of the validation questions to be forgotten"):
        ascent(tiny, league, out, [2], "forgetting=0.9")
    assert list(tmp_path.iterdir()) == []


PROGRAM = "import sys\nfrom offside_unlearn.cli import main\nmain(sys.argv[1:])"


@pytest.mark.full  # `test_unlearning` kills shorter runs.
def test_a_curve_killed_on_the_way_ends_with_the_same_points(
    vanilla: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    """`kill -9` after a point was written, then the same command again, against an undisturbed run."""
    steps, until = [2, 4, 6], "forgetting=1"
    config = {"lr": 3e-4, "validation_tokens": 12, **TO_THE_END}
    undisturbed = ascent(vanilla, league, tmp_path / "undisturbed", steps, until, **config)
    out, work = tmp_path / "disturbed", tmp_path / ".disturbed.work"
    arguments = ["run", "grad_ascent", out, "--model", vanilla, "--data", league.path, "--setting", "complete"]
    arguments += ["--curve-steps", ",".join(map(str, steps)), "--until", until, "--device", "cpu"]
    arguments += [part for key, value in {**ASCENT, **config}.items() for part in ("--set", f"{key}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), "--checkpoint-seconds", "0"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not ((work / "curve" / "step-000004").is_dir() and list(work.glob("checkpoint-*/complete"))):
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    resumed = ascent(vanilla, league, out, steps, until, **config)
    assert not work.exists()
    pairs = list(zip(points_of(resumed), points_of(undisturbed), strict=True))
    assert len(pairs) > 2
    for ours, theirs in [*pairs, (resumed, undisturbed)]:
        assert digest_of(ours.path) == digest_of(theirs.path)
        assert ours.manifest.training.checks == theirs.manifest.training.checks
        assert ours.manifest.training.loss_history == theirs.manifest.training.loss_history
