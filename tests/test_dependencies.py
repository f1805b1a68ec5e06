"""What the packages ask for of others: one lower bound each, and one version that fits them all."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from parsed_files import nodes_of

PRIVATE_HOOKS_OF = {"Trainer": "transformers"}


def requirements(root: Path) -> Iterator[tuple[str, Requirement]]:
    """Every requirement on somebody else's distribution, with the file that states it."""
    for file in [root / "pyproject.toml", *sorted(root.glob("packages/*/pyproject.toml"))]:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        project = content["project"]
        extras = {**project.get("optional-dependencies", {}), **content.get("dependency-groups", {})}
        for line in [*project.get("dependencies", []), *(line for lines in extras.values() for line in lines)]:
            requirement = Requirement(line)
            if not requirement.name.startswith("offside-"):
                yield str(file.relative_to(root)), requirement


def test_lower_bounds_are_the_same_everywhere(root: Path) -> None:
    bounds: dict[str, set[str]] = defaultdict(set)
    for _, requirement in requirements(root):
        lower = [item.version for item in requirement.specifier if item.operator in (">=", "==", "~=")]
        bounds[requirement.name].update(lower or ["none"])
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_the_tested_versions_are_allowed(root: Path) -> None:
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;+]+)", (root / "constraints.txt").read_text(), re.MULTILINE))
    tested = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    refused = [
        f"{file}: {requirement} but tested with {tested[requirement.name.lower()]}"
        for file, requirement in requirements(root)
        if requirement.name.lower() in tested and tested[requirement.name.lower()] not in requirement.specifier
    ]
    assert refused == []


@pytest.mark.parametrize("base", PRIVATE_HOOKS_OF)
def test_private_hooks_are_overridden_below_an_upper_bound_only(root: Path, base: str) -> None:
    """What starts with an underscore may change in any release of theirs."""
    overriding = [
        file
        for file in root.glob("packages/*/src/**/*.py")
        for node in nodes_of(file)
        if isinstance(node, ast.ClassDef) and base in [ast.unparse(parent) for parent in node.bases]
        if any(isinstance(part, ast.FunctionDef) and re.match(r"_[a-z]", part.name) for part in node.body)
    ]
    assert overriding, f"nothing overrides private hooks of {base}: then no upper bound is needed"
    for file in overriding:
        package = file.relative_to(root).parts[1]
        bounded = [
            requirement
            for stated_in, requirement in requirements(root)
            if package in stated_in and requirement.name == PRIVATE_HOOKS_OF[base]
            if any(item.operator in ("<", "<=", "==", "~=") for item in requirement.specifier)
        ]
        assert bounded, f"{file.name} overrides private hooks of {base}: {package} needs an upper bound"
