"""The release checklist, over a small repository of the same shape: it passes there, and what is off stops it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def tool(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("offside_release_tool", root / "tools/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.2.0"
description = "One of three"
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
license-files = ["LICENSE"]
dependencies = [{needs}]

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]
"""


HOOK = """
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Hook(MetadataHookInterface):
    def update(self, metadata):
        place = Path(__file__).parents[2].name
        metadata["description"] = f"Built in {place}"
"""
"""Tells where it was built: `first` or `second`."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release") / "repository"
    texts = {
        "pyproject.toml": '[project]\nname = "workspace"\nversion = "1.2.0"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.0\n",
        "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-01-31\n\n- Something.\n\n"
        "## 1.1.0 - 2025-12-24\n\n- Less.\n",
        "LICENSE": "Do as you like.\n",
        "mkdocs.yml": "site_name: Small\nstrict: true\n",
        "docs/index.md": "# Small\n",
        ".gitignore": "dist/\n__pycache__/\n",
    }
    for name in ("offside-data", "offside-unlearn", "offside-eval"):
        module, needs = name.replace("-", "_"), "" if name == "offside-data" else '"offside-data[vlm]==1.2.0"'
        texts |= {
            f"packages/{name}/pyproject.toml": PROJECT.format(name=name, module=module, needs=needs),
            f"packages/{name}/README.md": f"# {name}\n",
            f"packages/{name}/LICENSE": "Do as you like.\n",
            f"packages/{name}/src/{module}/__init__.py": '"""Nothing."""\n',
        }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.name", "Tester")
    git(root, "config", "user.email", "tester@example.org")
    commit(root)
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "A state")


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "repository")


def replace(path: str, old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")
        commit(root)

    return edit


def loose_end(root: Path) -> None:
    (root / "loose.txt").write_text("not committed")


CHEAP: list[tuple[Edit, str]] = [
    (replace("packages/offside-eval/pyproject.toml", 'version = "1.2.0"', 'version = "1.1.9"'), "1.1.9, but pyproject"),
    (
        replace("packages/offside-unlearn/pyproject.toml", "[vlm]==1.2.0", "[vlm]==1.1.0"),
        "needs offside-data[vlm]==1.1.0",
    ),
    (replace("packages/offside-unlearn/pyproject.toml", "[vlm]==1.2.0", ">=1.2.0"), "not offside-data[vlm]==1.2.0"),
    (replace("CITATION.cff", "version: 1.2.0\nversion: 1.2.0", "cff-version: 1.2.0\nversion: 1.1.0"), "version 1.1.0"),
    (replace("pyproject.toml", "1.2.0", "next"), "'next' is no version"),
    (replace("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- Not told yet.\n"), "entries under Unreleased"),
    (replace("CHANGELOG.md", "## 1.2.0 - 2026-01-31", "## 1.2.0"), "the newest section is '1.2.0'"),
    (
        replace("CHANGELOG.md", "## 1.2.0 - 2026-01-31\n\n- Something.\n\n", ""),
        "the newest section is '1.1.0 - 2025-12-24'",
    ),
    (replace("CHANGELOG.md", "2026-01-31", "2026-02-31"), "2026-02-31 is no day"),
    (replace("CHANGELOG.md", "2026-01-31", "2999-01-31"), "still to come"),
    (replace("CHANGELOG.md", "- Something.\n", ""), "nothing is said of 1.2.0"),
    (loose_end, "1 files aren't committed, e.g. loose.txt"),
    (lambda root: git(root, "switch", "--quiet", "--create", "side") and None, "on side, not main"),
    (lambda root: git(root, "tag", "v1.2.0") and None, "the tag v1.2.0 exists"),
    (replace("packages/offside-data/LICENSE", "like", "must"), "packages/offside-data/LICENSE: missing"),
]


@pytest.mark.parametrize(("spoil", "said"), CHEAP, ids=[said for _, said in CHEAP])
def test_what_is_off_stops_it_before_anything_is_built(
    tool: ModuleType,
    repository: Path,
    spoil: Edit,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(release: object) -> list[str]:
        raise AssertionError("built")

    monkeypatch.setattr(tool, "GROUPS", (tool.GROUPS[0], (never,)))
    spoil(repository)
    before = git(repository, "tag", "--list")
    assert tool.main([], repository) == 1
    assert said in capsys.readouterr().out
    assert git(repository, "tag", "--list") == before
    assert not (repository / "dist").exists()


def test_a_release_in_order_is_tagged_and_kept_but_not_in_a_dry_run(
    tool: ModuleType, repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tool.main(["--dry-run"], repository) == 0, capsys.readouterr().out
    assert git(repository, "tag", "--list") == ""
    assert not (repository / "dist").exists()
    assert "NOT OK" not in capsys.readouterr().out

    def build(release: Any) -> list[str]:
        release.built.mkdir(parents=True)
        (release.built / "a.whl").write_text("a")
        return []

    monkeypatch.setattr(tool, "GROUPS", (tool.GROUPS[0], (build,)))
    assert tool.main([], repository) == 0
    assert git(repository, "tag", "--list").split() == ["v1.2.0"]
    assert [file.name for file in (repository / "dist").iterdir()] == ["a.whl"]
    assert tool.main([], repository) == 1  # A version is released once.


def test_wheels_without_a_licence_or_a_readme_and_pages_that_warn_stop_it(
    tool: ModuleType, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "PACKAGES", ("offside-data", "offside-eval"))
    replace("packages/offside-eval/pyproject.toml", 'readme = "README.md"\n', "")(repository)
    replace("packages/offside-eval/pyproject.toml", 'license-files = ["LICENSE"]', "license-files = []")(repository)
    replace("docs/index.md", "# Small", "# Small\n\n[nowhere](nowhere.md)")(repository)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    release = tool.Release(repository, scratch)
    assert list(tool.builds(release)) == []
    found = list(tool.contents(release))
    assert [problem for problem in found if not problem.startswith("offside_eval")] == []
    for said in ("offside_eval-1.2.0-py3-none-any.whl: no LICENSE", "without a README", "without a summary"):
        assert any(said in problem for problem in found), found
    wheel = release.built / "offside_data-1.2.0-py3-none-any.whl"
    wheel.unlink()
    assert any("offside_data-1.2.0-py3-none-any.whl: not built" in problem for problem in tool.contents(release))
    assert "nowhere.md" in next(tool.documentation(release))


def test_builds_that_differ_are_noticed(
    tool: ModuleType, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "PACKAGES", ("offside-data",))
    (repository / "packages/offside-data/hatch_build.py").write_text(HOOK)
    edit = replace(
        "packages/offside-data/pyproject.toml", 'description = "One of three"\n', 'dynamic = ["description"]\n'
    )
    edit(repository)
    replace(
        "packages/offside-data/pyproject.toml",
        "[tool.hatch.build",
        "[tool.hatch.metadata.hooks.custom]\n\n[tool.hatch.build",
    )(repository)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = list(tool.builds(tool.Release(repository, scratch)))
    assert found, "built in two places, and told apart by none"
    assert {problem.split("-")[0] for problem in found} == {"offside_data"}


def test_every_package_has_the_licence(tool: ModuleType, root: Path, tmp_path: Path) -> None:
    release = tool.Release(root, tmp_path)
    assert list(tool.licences(release)) == []
    assert list(tool.versions(release)) == []
