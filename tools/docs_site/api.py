"""The API reference: a page for each folder of modules and for each module beside them, found by folder.

A page names its modules to mkdocstrings, which reads their source and imports nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("offside_data", "offside_unlearn", "offside_eval")
FOLDER = "reference/api"
_OTHERWISE = "cli"
"""Commands are in the command-line reference."""


def public_modules(root: Path) -> dict[str, Path]:
    """Modules of the three packages by dotted name, in order; what begins with an underscore is private.

    Args:
        root: The repository.
    """
    found = {}
    for package in PACKAGES:
        source = root / "packages" / package.replace("_", "-") / "src"
        for file in sorted(source.glob(f"{package}/**/*.py")):
            parts = list(file.relative_to(source).with_suffix("").parts)
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if _OTHERWISE not in parts and not any(part.startswith("_") for part in parts):
                found[".".join(parts)] = file
    return dict(sorted(found.items(), key=lambda item: (PACKAGES.index(item[0].split(".")[0]), item[0])))


def public_names(file: Path) -> list[str]:
    """Classes, functions and constants that a module defines for others.

    Args:
        file: The module.
    """
    names: list[str] = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return sorted({name for name in names if not name.startswith("_")})


def summary(file: Path) -> str:
    """First line of a module's docstring."""
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return told.split("\n", 1)[0]


def api_pages(root: Path) -> dict[str, str]:
    """The pages, by their path below docs.

    Args:
        root: The repository.
    """
    modules = public_modules(root)
    homes: dict[str, list[str]] = {}
    for name in modules:
        homes.setdefault(_page_of(name, modules), []).append(name)
    pages = {f"{FOLDER}/index.md": _start(modules, homes)}
    for page, names in homes.items():
        blocks = "\n\n".join(f"::: {name}" for name in names)
        pages[page] = f"# {_title(page)}\n\n{blocks}\n"
    return pages


def _page_of(name: str, modules: dict[str, Path]) -> str:
    parts = name.split(".")
    if len(parts) == 1:
        return f"{FOLDER}/{name}/index.md"
    return f"{FOLDER}/{parts[0]}/{parts[1]}.md"


def _title(page: str) -> str:
    *_, package, name = page.removesuffix(".md").split("/")
    return package if name == "index" else f"{package}.{name}"


def _start(modules: dict[str, Path], homes: dict[str, list[str]]) -> str:
    return "\n".join(["# Python", "", _INTRODUCTION, *_tables(modules, homes)]) + "\n"


_INTRODUCTION = """What can be imported, from the source: shapes, units and the errors that are raised on purpose stand
in the docstrings. Names with an underscore are private. Every error derives from
[`OffsideError`][offside_data.errors.OffsideError].
"""


def _tables(modules: dict[str, Path], homes: dict[str, list[str]]) -> Iterator[str]:
    for package in PACKAGES:
        yield from (f"## {package}", "", "| module | |", "| --- | --- |")
        for page, names in homes.items():
            if names[0].split(".")[0] == package:
                link = page.removeprefix(f"{FOLDER}/")
                told = summary(modules[names[0]]).replace("|", "\\|")
                yield f"| [`{_title(page)}`]({link}) | {told} |"
        yield ""
