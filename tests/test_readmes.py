"""The page of each package starts with an example that runs, in the order of the packages, in one folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def starts_with(root: Path, package: str, *languages: str) -> list[str]:
    """The first code blocks of a README, which must be in these languages."""
    blocks = _BLOCK.findall((root / f"packages/{package}/README.md").read_text(encoding="utf-8"))
    assert [language for language, _ in blocks[: len(languages)]] == list(languages)
    return [code for _, code in blocks[: len(languages)]]


@pytest.fixture(scope="module")
def place(root: Path, bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of the first example were run."""
    folder = tmp_path_factory.mktemp("readmes")
    commands, _ = starts_with(root, "offside-data", "sh", "python")
    for line in commands.splitlines():
        program, *words = line.split()
        subprocess.run([bin_dir / program, *words], cwd=folder, check=True, capture_output=True)
    return folder


def run(code: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    exec(compile(code, "README.md", "exec"), {})
    return capsys.readouterr().out


def test_the_one_of_offside_data(
    root: Path, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = starts_with(root, "offside-data", "sh", "python")
    assert "fictional-league" in run(code, place, capsys, monkeypatch)
    loaded = "import offside_data, sys; offside_data.open_dataset('league'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.full
def test_those_of_offside_unlearn_and_then_offside_eval(
    root: Path, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = starts_with(root, "offside-unlearn", "python")
    assert "npo" in run(code, place, capsys, monkeypatch)
    assert (place / "runs/npo/adapter_model.safetensors").is_file()
    (code,) = starts_with(root, "offside-eval", "python")
    assert "record_id" in run(code, place, capsys, monkeypatch)
    assert (place / "results/npo/samples.parquet").is_file()


def test_the_figures_of_the_demo_are_those_of_its_page(root: Path) -> None:
    def rows(file: str) -> list[list[str]]:
        lines = (root / file).read_text(encoding="utf-8").splitlines()
        return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]

    told = [row for row in rows("README.md") if re.search(r"\[.*, .*\]", row[-1])]
    assert len(told) == 5
    assert [row for row in told if row not in [page[:3] for page in rows("docs/demo.md")]] == []
