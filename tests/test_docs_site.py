"""The site of `make docs` has every command, option and public name; every page is reachable, nothing is fetched."""

from __future__ import annotations

import ast
import html
import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

PROGRAMS = ("offside-data", "offside-unlearn", "offside-eval")
HEAVY = ("torch", "transformers", "polars", "datasets", "matplotlib", "peft", "scipy")
_MAKE = (
    "import json, sys; sys.path.insert(0, 'tools'); import docs_hooks as h; pages = h.made_pages(h.ROOT); "
    f"print(json.dumps([pages, [m for m in {HEAVY} if m in sys.modules]]))"
)


@pytest.fixture(scope="module")
def made(root: Path) -> tuple[dict[str, str], list[str]]:
    """The pages that are made, and which heavy modules that took."""
    done = subprocess.run([sys.executable, "-c", _MAKE], cwd=root, capture_output=True, text=True, check=True)
    pages, heavy = json.loads(done.stdout)
    return pages, heavy


def commands(program: str) -> Iterator[tuple[str, click.Command]]:
    group: click.Group = importlib.import_module(f"{program.replace('-', '_')}.cli").main
    yield program, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{program} {name}", command
        if isinstance(command, click.Group):
            yield from ((f"{program} {name} {inner}", part) for inner, part in command.commands.items())


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^#+ (.+)$", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_and_option_is_in_the_reference(made: tuple[dict[str, str], list[str]], program: str) -> None:
    told = sections(made[0][f"reference/commands/{program}.md"])
    expected = dict(commands(program))
    assert told.keys() == expected.keys()
    for name, command in expected.items():
        words = set(re.findall(r"--?\w[\w-]*", " ".join(re.findall("<code>(.*?)</code>", told[name]))))
        options = [o for p in command.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)]
        assert words >= {"--help", *options}, name
        rows = [line for line in told[name].splitlines() if line.startswith("|")]
        assert {line.count("|") for line in rows} <= {3}, name  # No text of an option ends its cell.
        for argument in (p for p in command.params if isinstance(p, click.Argument)):
            assert argument.make_metavar(click.Context(command)) in html.unescape(told[name])


def public_modules(root: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "packages/*/src/*.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    dotted = [line.split("/src/")[1].removesuffix(".py").removesuffix("/__init__").replace("/", ".") for line in listed]
    return [name for name in dotted if not re.search(r"\._|\.cli(\.|$)", name)]


def test_every_public_module_is_in_the_reference_once(root: Path, made: tuple[dict[str, str], list[str]]) -> None:
    named = Counter(
        name
        for path, page in made[0].items()
        if path.startswith("reference/api/")
        for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)
    )
    modules = public_modules(root)
    assert len(modules) > 400
    assert named == Counter(modules)


def test_making_the_pages_loads_nothing_heavy(made: tuple[dict[str, str], list[str]]) -> None:
    assert made[1] == []


def flat(entries: Any) -> Iterator[str]:
    for entry in [entries] if isinstance(entries, str) else entries:
        if isinstance(entry, dict):
            yield from (page for part in entry.values() for page in flat(part))
        else:
            yield entry


def test_every_page_is_in_the_navigation_once(root: Path, made: tuple[dict[str, str], list[str]]) -> None:
    sys.path.insert(0, str(root / "tools"))
    try:
        from docs_site.navigation import expanded
    finally:
        sys.path.pop(0)
    written = {file.relative_to(root / "docs").as_posix() for file in root.glob("docs/**/*.md")}
    pages = written | made[0].keys()
    nav = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    shown = Counter(flat(expanded(nav, pages)))
    assert shown == Counter(pages)
    with pytest.raises(ValueError, match="docs/nothing/, which has no page"):
        expanded([{"Nothing": "nothing/"}], pages)


def test_a_tutorial_is_a_page_with_its_code(root: Path, made: tuple[dict[str, str], list[str]]) -> None:
    for name in ("curator", "researcher", "qwen"):
        page = made[0][f"tutorials/{name}.md"]
        cells = json.loads((root / f"docs/tutorials/{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        assert page.count("```") == 2 * sum(cell["cell_type"] == "code" for cell in cells)
        assert "%%script" not in "".join(re.findall("```sh\n.*?```", page, re.DOTALL))
        assert f"({name}.ipynb)" in page


def public_names(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return {name for name in found if not name.startswith("_")}


@pytest.mark.full
def test_the_site_builds_strictly_has_every_name_and_fetches_nothing(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {file: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.html")}
    anchors = {name for text in pages.values() for name in re.findall(r'id="(offside_[\w.]+)"', text)}
    names = {
        f"{module}.{name}"
        for module in public_modules(root)
        for source in root.glob("packages/*/src")
        for file in (source / f"{module.replace('.', '/')}.py", source / module.replace(".", "/") / "__init__.py")
        if file.is_file()
        for name in public_names(file)
    }
    assert len(names) > 1500
    assert sorted(names - anchors) == []
    fetched = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//")
    assert [str(file) for file, text in pages.items() if fetched.search(text)] == []
    assert [
        str(file) for file, text in pages.items() if 'class="mermaid"' in text
    ] == []  # Drawn by a script from afar.
    styles = [file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.css")]
    assert [found for text in styles for found in re.findall(r"(?:url\(|@import )[\"']?https?://\S+", text)] == []
    start = (tmp_path / "index.html").read_text(encoding="utf-8")
    for picture in ("report-desktop.png", "gallery.png"):
        assert f"pictures/{picture}" in start
        assert (tmp_path / "pictures" / picture).is_file()
