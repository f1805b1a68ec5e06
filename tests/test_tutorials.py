"""The tutorials run as they stand, from the first cell to the last, and so does the page for those who download."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

NOTEBOOKS = ("curator", "researcher")
SECONDS = 600
"""No page may hang; how long it takes on a free machine is no matter of a test."""


@pytest.mark.parametrize("name", [*NOTEBOOKS, "qwen"])
def test_a_notebook_is_kept_without_what_came_out(root: Path, name: str) -> None:
    import nbformat

    notebook = nbformat.read(root / f"docs/tutorials/{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [c for c in notebook.cells if c.get("outputs") or c.get("execution_count")] == []
    assert notebook.cells[0].source.startswith("# ")


def test_every_notebook_is_run_or_says_that_it_was_not(root: Path) -> None:
    names = {file.stem for file in root.glob("docs/**/*.ipynb")}
    assert names == {*NOTEBOOKS, "qwen"}
    assert "hasn't been run here" in (root / "docs/tutorials/qwen.ipynb").read_text(encoding="utf-8")


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # Of the kernel's own loops and sockets.
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_tutorial_runs(root: Path, bin_dir: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    source = os.pathsep.join(str(folder) for folder in sorted(root.glob("packages/*/src")))
    monkeypatch.setenv("PATH", f"{bin_dir}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", source)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # tqdm misses its widgets, and names the file that does.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    place = tmp_path / "place"
    place.mkdir()
    notebook = nbformat.read(root / f"docs/tutorials/{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(place)}}).execute()
    told = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "Traceback" not in told
    for folder in (str(tmp_path), str(root), str(Path.home()) + "/"):
        assert folder not in told, re.findall(f".{{60}}{re.escape(folder)}.{{60}}", told)[:3]
    made = {"curator": "gallery/index.html", "researcher": "report/report.html"}
    assert (place / made[name]).is_file()


def test_the_page_for_downloading_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from offside_data.fictional import make_league

    make_league(tmp_path / "league", subjects=4)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    page = (root / "docs/tutorials/downloader.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/tutorials/downloader.md", "exec"), names)
    assert "'multimodal'" in capsys.readouterr().out
