"""The quick demo runs from nothing to a report, and reuses what is finished."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_demo(root: Path, out: Path) -> str:
    command = [sys.executable, str(root / "tools/demo.py"), "--size", "quick", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("demo")
    return out / "quick", run_demo(root, out)


def test_it_ends_with_a_table_and_a_report(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    table = printed[printed.rindex("✓ report") :]
    for word in ("grad_ascent", "kl_min", "npo", "vanilla", "retain-only", "forgetting", "published findings"):
        assert word in table
    assert str(folder / "report" / "report.html") in printed
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "npo.selective.seed-0" in page


def test_it_says_what_each_group_of_stages_took(finished: tuple[Path, str]) -> None:
    _, printed = finished
    for group in ("data", "learn", "unlearn", "relearn", "evaluate", "report"):
        assert any(line.split()[:1] == [group] and len(line.split()) == 2 for line in printed.splitlines())


def test_a_second_time_reuses_every_stage(root: Path, finished: tuple[Path, str]) -> None:
    folder, first = finished
    again = run_demo(root, folder.parent)
    assert "are reused" in again
    assert "  $ " not in again
    assert first.count("  $ ") > 20


def test_fresh_takes_nothing_but_the_records_of_the_stages(root: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib, demo; f = pathlib.Path(sys.argv[1]); demo.forget(f, demo.stages_of('quick', f, 0))"
    for name in ("league/notes.txt", "stages/notes.txt", "stages/league.json", "report/thesis.tex"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root / "tools", check=True)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["league/notes.txt", "report/thesis.tex", "stages/notes.txt"]
