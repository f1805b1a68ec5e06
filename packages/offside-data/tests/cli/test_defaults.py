"""An option that is handed on to a config or a function has the default that stands there."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from offside_data import cli

SOURCES = {path.stem: ast.parse(path.read_text()) for path in Path(cli.__path__[0]).glob("[!_]*.py")}


def handed_on(tree: ast.Module, names: set[str]) -> Iterator[tuple[str, Any, str]]:
    """Each option that a command hands on as it is: its name, to what, and as which argument."""
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("offside_data.")
        for alias in node.names
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in imported:
            module, _, name = imported[call.func.id].partition(":")
            for keyword in call.keywords:
                if isinstance(keyword.value, ast.Name) and keyword.value.id in names and keyword.arg:
                    yield keyword.value.id, getattr(importlib.import_module(module), name), keyword.arg


def literal_defaults(tree: ast.Module) -> set[str]:
    """Options whose default is written into the command."""
    found = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "click.option":
            default = next((k.value for k in call.keywords if k.arg == "default"), ast.Constant(None))
            if isinstance(default, ast.Constant) and default.value is not None:
                found |= {str(a.value).lstrip("-") for a in call.args if isinstance(a, ast.Constant)}
    return found


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_default_stands_once(name: str) -> None:
    command = importlib.import_module(f"offside_data.cli.{name}").command
    options = {p.name: p for p in command.params if isinstance(p, click.Option)}
    for option, target, argument in handed_on(SOURCES[name], set(options)):
        default = inspect.signature(target).parameters[argument].default
        if default is not inspect.Parameter.empty:
            stated = options[option].to_info_dict()["default"]
            assert (stated or None) == (default or None), f"{option} of {target.__name__}"
        if dataclasses.is_dataclass(target):
            assert option not in literal_defaults(SOURCES[name]), f"take it from {target.__name__}.{argument}"


def test_it_sees_what_is_handed_on() -> None:
    options = {"license_", "hash_", "subjects", "policy", "force"}
    seen = {option for tree in SOURCES.values() for option, _, _ in handed_on(tree, options)}
    assert seen >= {"license_", "hash_", "subjects"}
