"""The one line that installs from git: all three packages together, and each alone, from a clone's address."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def address(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clone's, of what is committed; `file://`, so that nothing is fetched."""
    clone = tmp_path_factory.mktemp("git") / "clone.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(root), str(clone)], check=True)
    return clone.as_uri()


def lines(root: Path) -> list[list[str]]:
    """What follows `pip install` in each such line of the README."""
    text = (root / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^pip install (.*git\+REPOSITORY.*)$", text, re.MULTILINE)]


def reported(requirements: list[str], tmp_path: Path) -> dict[str, list[str]]:
    """Names of what pip would install, with what each needs; dependencies are left to an index."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed"]
    command += ["--no-build-isolation", "--report", str(report), *requirements]
    subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {entry["metadata"]["name"]: entry["metadata"].get("requires_dist", []) for entry in found}


def test_the_lines_of_the_readme_install_what_they_name(root: Path, address: str, tmp_path: Path) -> None:
    named = [
        (
            {re.split(r"[\[ @]", requirement)[0] for requirement in line},
            [r.replace("REPOSITORY", address) for r in line],
        )
        for line in lines(root)
    ]
    everything = {"offside-data", "offside-unlearn", "offside-eval"}
    assert everything in [names for names, _ in named]
    for package in everything:
        # A sibling that pip finds at no index has to be named beside it.
        alone = {"offside-data"} | {package}
        assert alone in [names for names, _ in named], package
    for names, requirements in named:
        found = reported(requirements, tmp_path)
        assert found.keys() == names
        siblings = {re.split(r"[\[ =]", need)[0] for needs in found.values() for need in needs if "offside-" in need}
        assert siblings <= names
