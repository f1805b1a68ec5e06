"""Who may import whom: data <- unlearn, data <- eval, nobody a sibling's private module, and nobody in a circle."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from parsed_files import tree_of

PACKAGES = {"offside_data": "offside-data", "offside_unlearn": "offside-unlearn", "offside_eval": "offside-eval"}
ALLOWED = {
    "offside_data": {"offside_data"},
    "offside_unlearn": {"offside_unlearn", "offside_data"},
    "offside_eval": {"offside_eval", "offside_data"},
}
TORCHLESS = ("torch", "transformers", "peft", "accelerate")


def imports_of(tree: ast.AST, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and absolute name of all that `module` imports: wherever it stands, relative forms and strings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, a.value) for a in node.args if isinstance(a, ast.Constant))


def private_attributes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of what is taken from a module through its attributes: `adapters._base`."""
    names = {
        alias.asname or alias.name.split(".")[0]: node.module if isinstance(node, ast.ImportFrom) else ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            dotted = ast.unparse(node)
            root = dotted.split(".")[0]
            if root in names:
                yield node.lineno, f"{names[root]}.{dotted}".lstrip(".")


def violations(package: str, tree: ast.AST) -> list[str]:
    found = []
    for line, name in [*imports_of(tree, f"{package}.module"), *private_attributes(tree)]:
        top = name.split(".")[0]
        if top not in PACKAGES:
            continue
        if top not in ALLOWED[package]:
            found.append(f"line {line}: {package} imports {name}")
        if top != package and any(part.startswith("_") for part in name.split(".")):
            found.append(f"line {line}: {package} imports the private {name}")
    return found


def modules_below(*sources: Path) -> dict[str, Path]:
    """The file of each module; a package's own is its `__init__.py`."""
    files = [(source, file) for source in sources for file in sorted(source.rglob("*.py"))]
    names = (".".join(file.relative_to(source).with_suffix("").parts) for source, file in files)
    return {name.removesuffix(".__init__"): file for name, (_, file) in zip(names, files, strict=True)}


def circle(modules: dict[str, Path], parse: Callable[[Path], ast.AST] = tree_of) -> list[str]:
    """Modules that import each other in a circle, if there is one; each imports the one before it.

    Imports for type checking and inside functions count. That a module's package is loaded with it doesn't: every
    package that offers its modules' names would be in a circle with them.
    """
    graph: dict[str, set[str]] = {}
    for module, file in modules.items():
        names = (name for _, name in imports_of(parse(file), module, file.name == "__init__.py"))
        # What is imported from a module may be a module itself.
        graph[module] = {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()
        graph[module].discard(module)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_the_allowed_direction_only(root: Path, package: str) -> None:
    source = root / "packages" / PACKAGES[package] / "src" / package
    files = sorted(source.rglob("*.py"))
    assert files
    found = [f"{f.relative_to(root)} {v}" for f in files for v in violations(package, tree_of(f))]
    assert found == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("offside_eval", "from offside_unlearn import unlearn"),
        ("offside_unlearn", "import offside_eval"),
        ("offside_data", "def f():\n    import offside_eval.results"),
        ("offside_data", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from offside_eval import results"),
        ("offside_data", "import importlib\nimportlib.import_module('offside_eval.results')"),
        ("offside_eval", "from offside_data.adapters import _base"),
        ("offside_eval", "import offside_data.adapters._base"),
        ("offside_eval", "from offside_data.adapters._base import Remark"),
        ("offside_eval", "from offside_data import adapters\nx = adapters._base"),
        ("offside_eval", "import offside_data.adapters\nx = offside_data.adapters._base"),
        ("offside_eval", "from importlib import import_module\nx = import_module('offside_data.adapters._base')"),
    ],
)
def test_the_rule_notices_a_violation(package: str, source: str) -> None:
    assert len(violations(package, ast.parse(source))) == 1


@pytest.mark.parametrize("source", ["from offside_data import errors", "from . import _base", "from ._base import x"])
def test_the_rule_lets_the_rest_pass(source: str) -> None:
    assert violations("offside_eval", ast.parse(source)) == []


def test_no_modules_import_each_other_in_a_circle(root: Path) -> None:
    modules = modules_below(*(root / "packages" / folder / "src" for folder in PACKAGES.values()))
    assert len(modules) > 200
    assert circle(modules) == []


def parsed_anew(file: Path) -> ast.AST:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("import pack.sub.other", "import pack.one"),
        ("from pack.sub.other import thing", "from pack.one import thing"),
        ("from pack.sub import other", "from pack import one"),
        ("from .sub import other", "from .. import one"),
        ("from .sub.other import thing", "from ..one import thing"),
        ("from pack import sub", "from pack import one"),
        ("if TYPE_CHECKING:\n    from pack.sub import other", "def f():\n    from pack import one"),
        ("import importlib\nx = importlib.import_module('pack.sub.other')", "import pack.one as x"),
    ],
)
def test_a_circle_is_noticed(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "pack/sub").mkdir(parents=True)
    (tmp_path / "pack/__init__.py").write_text("")
    (tmp_path / "pack/one.py").write_text(one)
    (tmp_path / "pack/sub/__init__.py").write_text("from . import other\n")
    (tmp_path / "pack/sub/other.py").write_text(other)
    assert set(circle(modules_below(tmp_path), parsed_anew)) >= {"pack.one", "pack.sub.other"}
    (tmp_path / "pack/sub/other.py").write_text("import ast\n")
    assert circle(modules_below(tmp_path), parsed_anew) == []


def test_data_reaches_torch_only_inside_vlm(root: Path) -> None:
    source = root / "packages/offside-data/src/offside_data"
    found = [
        f"{f.relative_to(root)}:{line}"
        for f in sorted(source.rglob("*.py"))
        if (source / "vlm") not in f.parents
        for line, name in imports_of(tree_of(f), "offside_data.module")
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
