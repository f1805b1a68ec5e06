"""The quick demo runs from nothing to a report, and reuses what is finished."""

from __future__ import annotations

import json
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
    assert "Finished before, and reused: 26 of 26 stages" in again
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


def test_one_method_has_its_controls_and_its_own_relearning(root: Path) -> None:
    asked: list[tuple[str, ...]] = [(), ("po",), ("npo", "kl_min")]
    code = """if True:
        import json, pathlib, sys, demo
        stages = [demo.stages_of("full", pathlib.Path(), 0, methods) for methods in json.loads(sys.argv[1])]
        print(json.dumps([[stage.name for stage in some] for some in stages]))
    """
    printed = subprocess.check_output([sys.executable, "-c", code, json.dumps(asked)], cwd=root / "tools", text=True)
    names: dict[tuple[str, ...], list[str]] = dict(zip(asked, json.loads(printed), strict=True))
    for methods, stages in names.items():
        assert set(stages) <= set(names[()])
        assert {"vanilla", "retain_only", "base", "report", "compare"} <= set(stages)
        unlearned = {stage.split(".")[0] for stage in stages if ".selective.seed-0" in stage and " " not in stage}
        assert unlearned == (set(methods) or {"grad_ascent", "grad_diff", "kl_min", "npo", "po"})
        assert ("retain_only.seed-0.relearned" in stages) == (methods in {(), ("po",)}), "the plan relearns po"
    unknown = [sys.executable, "demo.py", "--method", "nop"]
    done = subprocess.run(unknown, cwd=root / "tools", capture_output=True, text=True, check=False)
    assert (done.returncode, "'nop'" in done.stderr, "npo" in done.stderr) == (1, True, True)
