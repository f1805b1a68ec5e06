"""`offside-eval report`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from offside_eval.cli import main


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["report", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_page_is_written_and_named(study: list[Path], tmp_path: Path) -> None:
    complete = [p for p in study if p.parent.name == "complete"]
    code, out, _ = run(tmp_path / "out", *complete)
    assert code == 0
    assert Path(out.strip()) == tmp_path / "out" / "report.html"
    assert Path(out.strip()).is_file()
    code, _, err = run(tmp_path / "out", *complete)
    assert code == 2
    assert "--force" in err
    code, out, _ = run(tmp_path / "out", *complete, "--force", "--json")
    assert code == 0
    assert json.loads(out)["summary"] == str(tmp_path / "out" / "summary.md")


def test_a_dataset_that_is_not_there_is_an_error(study: list[Path], tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "out", *study[:3], "--dataset", tmp_path / "nothing")
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert not (tmp_path / "out").exists()
