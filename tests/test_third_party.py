"""A third party adds a method, a metric and an adapter without editing anything of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offside_data.errors import PluginError
from offside_data.plugins import Registry


@pytest.fixture(scope="module")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package of tests/third_party is installed, beside ours."""
    target = tmp_path_factory.mktemp("third-party")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(target), str(root / "tests/third_party")], check=True)
    return {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("command", "name"),
    [("offside-unlearn methods --json", "extra_descent"), ("offside-eval metrics --json", "extra_length")],
)
def test_what_it_adds_is_listed(installed: dict[str, str], bin_dir: Path, command: str, name: str) -> None:
    program, *arguments = command.split()
    assert name in run([str(bin_dir / program), *arguments], installed)


def test_its_adapter_imports_its_format(installed: dict[str, str], bin_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "facts.extra"
    source.write_text("p1\tage\tHow old is Oda Vint?\tOda Vint is 24 years old.\n", encoding="utf-8")
    out = tmp_path / "dataset"
    run([str(bin_dir / "offside-data"), "ingest", str(source), str(out)], installed)
    shown = run([str(bin_dir / "offside-data"), "show", str(out), "--json"], installed)
    assert "text/retain" in shown


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        ("packages/offside-unlearn/tests/methods/test_contract.py", "extra_descent"),
        ("packages/offside-eval/tests/metrics/test_contract.py", "extra_length"),
        ("packages/offside-data/tests/adapters/test_contract.py", "extra_lines"),
    ],
)
def test_the_contract_tests_cover_it(root: Path, installed: dict[str, str], tests: str, name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", name, str(root / tests)]
    done = subprocess.run(command, env=installed, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "0 passed" not in done.stdout


def test_a_file_dropped_into_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import offside_unlearn.methods

    (tmp_path / "dropped_in.py").write_text('"""A method in a file of its own."""\n', encoding="utf-8")
    monkeypatch.setattr(offside_unlearn.methods, "__path__", [*offside_unlearn.methods.__path__, str(tmp_path)])
    registry = Registry("offside_unlearn.methods", "method")
    assert "dropped_in" in registry.names()
    assert registry.load("dropped_in").__doc__ == "A method in a file of its own."


def test_a_clash_of_names_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "clash-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: clash\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text("[offside_unlearn.methods]\nnpo = clash.npo\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="'npo' is defined twice"):
        Registry("offside_unlearn.methods", "method").names()
