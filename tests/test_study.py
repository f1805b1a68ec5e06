"""A whole study on a tiny model: run, killed, added to."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
QUICK = {"max_steps": 1, "batch_size": 4}
PLAN: dict[str, Any] = {
    "data": "league",
    "controls": {
        "vanilla": {"start": "tiny", "splits": ["retain", "forget"], "options": QUICK},
        "retain_only": {"start": "tiny", "splits": ["retain"], "options": QUICK},
    },
    "methods": {"grad_ascent": {"lr": 1e-3}},
    "options": {"batch_size": 2},
    "settings": ["selective"],
    "seeds": [0, 1],
    "curve_steps": [1, 2],
    "evaluate": {"limit": 1, "max_new_tokens": 3},
}
ATTACK = {"kinds": ["benign"], "rates": [1e-3], "steps": [1], "options": {"batch_size": 4}}
WHOLE = {**PLAN, "relearn": {"options": QUICK}, "attack": ATTACK}


def call(bin_dir: Path, folder: Path, *arguments: str) -> str:
    command = [str(bin_dir / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def place(bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a league, a tiny model and a plan."""
    folder = tmp_path_factory.mktemp("study")
    call(bin_dir, folder, "offside-data", "fictional", "league", "--subjects", "4")
    call(bin_dir, folder, "offside-unlearn", "tiny", "tiny", "--data", "league")
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    (folder / "whole.yaml").write_text(yaml.safe_dump(WHOLE))
    return folder


@pytest.fixture(scope="module")
def undisturbed(bin_dir: Path, place: Path) -> tuple[Path, str]:
    return place / "undisturbed", call(bin_dir, place, "offside-unlearn", "study", "plan.yaml", "undisturbed")


def tables(study: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in sorted((study / "report" / "tables").iterdir())}
    assert {"comparison.csv", "trajectories.csv", "findings.csv"} <= found.keys()
    return found


def test_it_runs_every_cell_and_ends_with_tables_and_a_report(undisturbed: tuple[Path, str]) -> None:
    study, printed = undisturbed
    assert str(Path("undisturbed/report/report.html")) in printed
    assert "published findings" in printed
    runs = {path.name for path in (study / "runs").iterdir() if not path.name.startswith(".")}
    assert runs == {f"grad_ascent.selective.seed-{seed}" for seed in (0, 1)}
    for cell in runs:
        assert (study / "runs" / cell / "curve" / "step-000001" / "offside_run.json").is_file()
        assert (study / "results" / cell / "curve.json").is_file()
    rows = tables(study)["trajectories.csv"].decode().splitlines()
    assert len(rows) == 1 + 2 * 3, "two seeds, from vanilla over two points"
    assert "grad_ascent" in (study / "report" / "report.html").read_text(encoding="utf-8")


def test_a_second_time_nothing_is_done_and_what_is_added_is_done_alone(
    bin_dir: Path, place: Path, undisturbed: tuple[Path, str]
) -> None:
    study, _ = undisturbed
    again = call(bin_dir, place, "offside-unlearn", "study", "plan.yaml", study.name)
    assert "  $ " not in again
    (place / "more.yaml").write_text(yaml.safe_dump({**PLAN, "seeds": [0, 1, 2]}))
    lines = call(bin_dir, place, "offside-unlearn", "study", "more.yaml", study.name, "--dry-run").splitlines()
    assert [line.split()[1] for line in lines if "results/" not in line and "seed-2" in line] == ["run"]
    assert sum("seed-2" in line for line in lines) == 4, "it is run, evaluated, compared and reported"


def killed_study(bin_dir: Path, place: Path, plan: str, name: str, times: int, seed: int) -> Path:
    """The study, killed at random moments, and then run to its end."""
    dice = random.Random(seed)
    command = [str(bin_dir / "offside-unlearn"), "study", plan, name]
    for _ in range(times):
        process = subprocess.Popen(
            command, cwd=place, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        finished = len(list((place / name / "stages").glob("*.json")))
        deadline = time.monotonic() + 300
        while len(list((place / name / "stages").glob("*.json"))) <= finished and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # Else the start-up would be killed again and again, and nothing ever done.
        time.sleep(dice.uniform(0, 6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    call(bin_dir, place, "offside-unlearn", *command[1:])
    return place / name


@pytest.mark.full
def test_a_study_that_was_killed_ten_times_ends_with_the_same_tables(bin_dir: Path, place: Path) -> None:
    call(bin_dir, place, "offside-unlearn", "study", "whole.yaml", "whole")
    runs = {path.name for path in (place / "whole" / "runs").iterdir() if not path.name.startswith(".")}
    assert {"grad_ascent.selective.seed-1.relearned", "retain_only.seed-1.relearned"} <= runs
    assert tables(killed_study(bin_dir, place, "whole.yaml", "often", 10, seed=1)) == tables(place / "whole")
