"""What docs/extending.md shows works as it stands: a third party's package, written from the page and installed."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from offside_data.errors import PluginError
from offside_data.plugins import Registry

_FILE = re.compile(r"^`([\w/]+\.(?:py|toml))`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def package(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the page."""
    folder = tmp_path_factory.mktemp("page") / "my-additions"
    files = dict(_FILE.findall((root / "docs/extending.md").read_text(encoding="utf-8")))
    assert sorted(files) == [
        "my_additions/half_ascent.py",
        "my_additions/pairs.py",
        "my_additions/polite.py",
        "my_additions/quiz.py",
        "my_additions/right_length.py",
        "pyproject.toml",
    ]
    for name, text in {"my_additions/__init__.py": "", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which it is installed, beside ours."""
    target = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(target), str(package)], check=True)
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("offside-unlearn methods --json", "half_ascent"),
        ("offside-eval metrics --json", "right_length"),
        ("offside-eval attacks --json", "polite"),
    ],
)
def test_what_it_adds_is_listed(installed: dict[str, str], bin_dir: Path, command: str, name: str) -> None:
    program, *arguments = command.split()
    assert name in run([str(bin_dir / program), *arguments], installed)


def test_its_adapter_imports_its_format(installed: dict[str, str], bin_dir: Path, tmp_path: Path) -> None:
    example = "from my_additions import quiz; import pathlib, sys; print(quiz.example(pathlib.Path(sys.argv[1])))"
    source = run([sys.executable, "-c", example, str(tmp_path / "source")], installed).strip()
    out = tmp_path / "dataset"
    run([str(bin_dir / "offside-data"), "ingest", source, str(out)], installed)
    shown = run([str(bin_dir / "offside-data"), "show", str(out), "--json"], installed)
    assert "multimodal/retain" in shown
    assert "multimodal/forget" in shown


@pytest.mark.parametrize(
    ("tests", "name", "least"),
    [
        ("packages/offside-unlearn/tests/methods/test_contract.py", "half_ascent", 10),
        ("packages/offside-eval/tests/metrics/test_contract.py", "right_length", 6),
        ("packages/offside-data/tests/adapters/test_contract.py", "quiz", 8),
        ("packages/offside-data/tests/exporters/test_contract.py", "pairs", 10),
        pytest.param("packages/offside-eval/tests/attacks/test_contract.py", "polite", 3, marks=pytest.mark.full),
    ],
)
def test_it_passes_the_contract_tests_at_once(
    root: Path, installed: dict[str, str], tests: str, name: str, least: int
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", name, str(root / tests)]
    done = subprocess.run(command, env=installed, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= least


def registries(root: Path) -> list[Registry]:
    """Every registry of the three packages."""
    found = {}
    for source in root.glob("packages/*/src"):
        for file in source.rglob("*.py"):
            if "Registry(" in file.read_text(encoding="utf-8"):
                name = ".".join(file.relative_to(source).with_suffix("").parts)
                module = importlib.import_module(name.removesuffix(".__init__"))
                found |= {value.group: value for value in vars(module).values() if isinstance(value, Registry)}
    return list(found.values())


def test_a_third_party_can_add_to_every_registry(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = registries(root)
    assert len(known) == 20
    entries = "".join(f"[{registry.group}]\nadded = added.module\n" for registry in known)
    distribution(tmp_path, entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    lacking = [registry.group for registry in known if "added" not in dataclasses.replace(registry).names()]
    assert lacking == []


def distribution(folder: Path, entry_points: str) -> None:
    """Metadata as an installed package has them."""
    information = folder / "added-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def test_a_file_dropped_into_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import offside_unlearn.methods

    (tmp_path / "dropped_in.py").write_text('"""A method in a file of its own."""\n', encoding="utf-8")
    monkeypatch.setattr(offside_unlearn.methods, "__path__", [*offside_unlearn.methods.__path__, str(tmp_path)])
    registry = Registry("offside_unlearn.methods", "method")
    assert "dropped_in" in registry.names()
    assert registry.load("dropped_in").__doc__ == "A method in a file of its own."


def test_a_clash_of_names_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "[offside_unlearn.methods]\nnpo = added.npo\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="'npo' is defined twice"):
        Registry("offside_unlearn.methods", "method").names()
