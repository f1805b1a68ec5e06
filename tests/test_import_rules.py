"""Who may import whom: data <- unlearn, data <- eval, and nobody a sibling's private module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = {"offside_data": "offside-data", "offside_unlearn": "offside-unlearn", "offside_eval": "offside-eval"}
ALLOWED = {
    "offside_data": {"offside_data"},
    "offside_unlearn": {"offside_unlearn", "offside_data"},
    "offside_eval": {"offside_eval", "offside_data"},
}
TORCHLESS = ("torch", "transformers", "peft", "accelerate")


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def violations(package: str, source: str) -> list[str]:
    found = []
    for line, name in imports_of(ast.parse(source)):
        top = name.split(".")[0]
        if top not in PACKAGES:
            continue
        if top not in ALLOWED[package]:
            found.append(f"line {line}: {package} imports {name}")
        if top != package and any(part.startswith("_") for part in name.split(".")):
            found.append(f"line {line}: {package} imports the private {name}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_the_allowed_direction_only(root: Path, package: str) -> None:
    source = root / "packages" / PACKAGES[package] / "src" / package
    files = sorted(source.rglob("*.py"))
    assert files
    found = [f"{f.relative_to(root)} {v}" for f in files for v in violations(package, f.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("offside_eval", "from offside_unlearn import unlearn"),
        ("offside_unlearn", "import offside_eval"),
        ("offside_data", "def f():\n    import offside_eval.results"),
        ("offside_eval", "from offside_data.adapters import _base"),
    ],
)
def test_the_rule_notices_a_violation(package: str, source: str) -> None:
    assert len(violations(package, source)) == 1


def test_data_reaches_torch_only_inside_vlm(root: Path) -> None:
    source = root / "packages/offside-data/src/offside_data"
    found = [
        f"{f.relative_to(root)}:{line}"
        for f in sorted(source.rglob("*.py"))
        if (source / "vlm") not in f.parents
        for line, name in imports_of(ast.parse(f.read_text(encoding="utf-8")))
        if name.split(".")[0] in TORCHLESS
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_help_loads_nothing_heavy(package: str) -> None:
    heavy = (*TORCHLESS, "datasets", "polars", "pyarrow", "matplotlib", "plotly", "scipy", "PIL", "numpy", "pandas")
    program = (
        "import sys, click\n"
        f"from {package}.cli import main\n"
        "try:\n    main(['--help'], standalone_mode=False)\nexcept click.exceptions.Exit:\n    pass\n"
        f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
