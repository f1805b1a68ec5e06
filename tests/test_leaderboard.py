"""The leaderboard's page says what its script prints of the figures that were kept, and its plans can be run."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from offside_unlearn.study import read_plan
from offside_unlearn.study_options import check_options
from offside_unlearn.unlearning import METHODS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tools" / "leaderboard"
PLANS = sorted(FOLDER.glob("*.yaml"))


PAGES = {
    "selective.json": "leaderboard.md",
    "beside.json": "leaderboard.md",
    "complete.json": "leaderboard-complete.md",
}


def test_each_file_of_figures_has_a_page() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(PAGES)


@pytest.mark.parametrize("figures", PAGES)
def test_each_table_of_a_page_is_the_scripts(
    figures: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["table.py", "show", str(FOLDER / figures)])
    runpy.run_path(str(FOLDER / "table.py"), run_name="__main__")
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(printed) > 10
    text = (ROOT / "docs" / PAGES[figures]).read_text(encoding="utf-8")
    lines = set(text.splitlines())
    assert [line for line in printed if line not in lines] == []


@pytest.mark.parametrize("path", PLANS, ids=[path.stem for path in PLANS])
def test_each_plan_is_one(path: Path) -> None:
    check_options(read_plan(path, METHODS.names()))


def test_no_method_is_left_out() -> None:
    planned = {name for path in PLANS for name in read_plan(path, METHODS.names()).methods}
    ours = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")} - {"index"}
    assert ours <= planned
