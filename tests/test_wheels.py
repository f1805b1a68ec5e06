"""The wheels install as a stranger would install them; offside-data alone needs no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def dist(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    for package in ("data", "unlearn", "eval"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
        subprocess.run([*command, str(root / f"packages/offside-{package}")], check=True, capture_output=True)
    return out


def new_environment(folder: Path, root: Path, dist: Path, *packages: str) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--find-links", str(dist)]
    subprocess.run([*install, "-c", str(root / "constraints.txt"), *packages], check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def data_only(root: Path, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_environment(tmp_path_factory.mktemp("data-only") / "venv", root, dist, "offside-data")


def run(command: list[str | Path], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(c) for c in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


_SUBJECT = "import offside_data as o; print(*o.open_dataset('league').subjects()['subject_id'])"


def test_every_data_command_works_without_torch(data_only: Path, tmp_path: Path, root: Path) -> None:
    probe = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('transformers'))"
    assert run([data_only / "python", "-c", probe], tmp_path).split() == ["None", "None"]
    program = data_only / "offside-data"
    run([program, "fictional", "league", "--subjects", "4"], tmp_path)
    run([program, "check", "league"], tmp_path)
    shown = json.loads(run([program, "show", "league", "--json"], tmp_path))
    assert shown["name"] == "fictional-league"
    example = "from offside_data.adapters import offside; from pathlib import Path; print(offside.example(Path('.')))"
    source = run([data_only / "python", "-c", example], tmp_path).strip()
    run([program, "ingest", source, "imported", "--format", "offside", "--without-images"], tmp_path)
    run([program, "check", "imported"], tmp_path)
    run([program, "dedup", "league", "--apply"], tmp_path)
    run([program, "tag", "league"], tmp_path)
    run([program, "questions", "league"], tmp_path)
    run([program, "split", "league", "--policy", "ratio", "--dry-run"], tmp_path)
    run([program, "release", "league", "--bump", "major", "--note", "First."], tmp_path)
    subjects = run([data_only / "python", "-c", _SUBJECT], tmp_path).split()
    run([program, "remove", "league", "--subject", subjects[0], "--reason", "Asked for."], tmp_path)
    run([program, "diff", "league/.offside/releases/1.0.0", "league"], tmp_path)
    run([program, "export", "league", "swift", "--format", "swift"], tmp_path)
    run([program, "migrate", "league"], tmp_path)


def test_all_wheels_install_together_and_show_their_help(dist: Path, root: Path, tmp_path: Path) -> None:
    names = ["offside-data", "offside-unlearn", "offside-eval"]
    programs = new_environment(tmp_path / "venv", root, dist, *names)
    for name in names:
        assert "Commands:" in run([programs / name, "--help"], tmp_path)
    listed = run([programs / "offside-unlearn", "methods"], tmp_path)
    assert {"grad_ascent", "grad_diff", "kl_min", "po", "npo"} <= set(listed.split())
    assert "value_match" in run([programs / "offside-eval", "metrics"], tmp_path)
