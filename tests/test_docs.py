"""What the guides name exists: files, folders, Python names, commands and their options, entry-point groups."""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

PROGRAMS = ("offside-data", "offside-unlearn", "offside-eval")
MADE = ("demo-out", "my_additions", "work", "out", "OUT", "runs", "results", ".venv", "site")
"""Folders that the commands of a guide write to, wherever a reader runs them."""
ON_DISK = (".offside", "data", "tables", "plots", "complete_unlearning_data")
"""Folders inside a dataset, a report or an export. What lies in them is named by the code that writes it."""
FOREIGN = ("eval.py", "offside_sample.json")
"""Other people's files."""
_NO_PATH = re.compile(r"org/name|(multimodal|text)/\w+|[\d/]+")
"""Of the Hub, a part of a dataset, a date."""
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DOTTED = re.compile(r"\boffside_(?:data|unlearn|eval)(?:\.[A-Za-z_]\w*)+")
_PATH = re.compile(r"[\w.<>+-]*[\w>]*(?:/[\w.<>+*-]*)+|[\w-]+\.(?:py|md|ya?ml|toml|txt|jsonl?|parquet|html)")
_GROUP = re.compile(r'entry-points\."([\w.]+)"')


def guides(root: Path) -> list[Path]:
    top = [root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    pages = sorted([*root.glob("docs/**/*.md"), *root.glob("docs/**/*.ipynb")])
    return [*top, *pages, *sorted(root.glob("packages/*/README.md"))]


def text_of(guide: Path) -> str:
    """A guide as Markdown; of a notebook its text and its code, the latter in blocks."""
    text = guide.read_text(encoding="utf-8")
    if guide.suffix != ".ipynb":
        return text
    parts = []
    for cell in json.loads(text)["cells"]:
        first, *rest = "".join(cell["source"]).split("\n")
        if cell["cell_type"] == "markdown":
            parts.append("\n".join((first, *rest)))
        elif first.startswith("%%script bash"):
            parts.append("\n".join(("```sh", *rest, "```")))
        else:
            parts.append("\n".join(("```python", first, *rest, "```")))
    return "\n\n".join(parts)


def is_page(path: Path) -> bool:
    """Whether a link leads somewhere: a notebook is a page of the same name."""
    return path.exists() or (path.suffix == ".md" and path.with_suffix(".ipynb").exists())


def blocks(text: str, *languages: str) -> list[str]:
    """The code blocks in one of these languages."""
    return [block for language, block in _BLOCK.findall(text) if language in languages]


def inline(text: str) -> list[str]:
    """What stands between single backticks, outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))


@functools.cache
def words_of_the_code(root: Path) -> frozenset[str]:
    """Every part of a path that stands in a string of the code."""
    files = [*root.glob("packages/*/src/**/*.py"), *root.glob("tools/**/*.py")]
    strings = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not re.search(r"\s", node.value)
    }
    return frozenset(word for string in strings for word in string.split("/"))


def written(name: str, root: Path) -> bool:
    """Whether the code names such a file or folder, or puts it together: name and suffix, number (`N`) in between."""
    words = words_of_the_code(root)
    return name in words or any(
        len(parts) > 1 and words.issuperset(parts)
        for parts in (re.split(r"(?=\.\w+$)", name), re.split(r"(?<=-)N(?=\.)", name))
    )


def exists(path: str, root: Path, beside: Path) -> bool:
    """Whether a path of a guide is one: below the root, a package, its source, or beside the guide."""
    parts = path.rstrip("/").split("/")
    while parts and re.fullmatch(r"[A-Z_]+", parts[0]):
        del parts[0]
    if not parts or parts[0] in (*MADE, *FOREIGN):
        return True
    fixed = "/".join(parts[: next((i for i, part in enumerate(parts) if re.search("[<*]", part)), len(parts))])
    if not fixed:  # `<package>/cli/<name>.py`
        return True
    homes = [root, beside, *root.glob("packages/*/src"), *root.glob("packages/*/src/offside_*")]
    if any((home / fixed).exists() for home in homes):
        return True
    on_disk = parts[0] in ON_DISK or (len(parts) == 1 and not path.endswith((".py", ".toml")))
    words = [re.sub(r"-\d{5}-of-\d{5}\.", ".", part) for part in parts if not re.fullmatch(r"[A-Z_]+", part)]
    return on_disk and all(word in ON_DISK or written(word, root) for word in words)


def missing_paths(text: str, root: Path, beside: Path) -> list[str]:
    spans = [span.rstrip(".,") for span in inline(text)]
    found = [span for span in spans if _PATH.fullmatch(span) and not _NO_PATH.fullmatch(span)]
    found += [
        path.rstrip(".")
        for _, block in _BLOCK.findall(text)
        for path in re.findall(r"(?<![\w/.-])(?:packages|tools|tests|docs)/[\w./-]+", block)
    ]
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", _BLOCK.sub("", text))
    return [p for p in found if not exists(p, root, beside)] + [x for x in links if not is_page(beside / x)]


def is_there(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            if not hasattr(value, name):
                return False
            value = getattr(value, name)
        return True
    return False


@functools.cache
def groups(root: Path) -> frozenset[str]:
    """The entry-point group of every `Registry` in the code."""
    found = set()
    for file in root.glob("packages/*/src/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry":
                options = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
                folder = node.args[0]
                assert isinstance(folder, ast.Constant)
                found.add(options.get("entry_points") or folder.value)
    return frozenset(found)


def missing_names(text: str, root: Path) -> list[str]:
    found = {name for span in inline(text) for name in _DOTTED.findall(span)} - groups(root)
    for block in blocks(text, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    ours = sorted(name for name in found if _DOTTED.fullmatch(name))
    return [name for name in ours if not is_there(name)] + sorted(set(_GROUP.findall(text)) - groups(root))


@functools.cache
def commands() -> dict[str, dict[str, set[str]]]:
    """By program and command, its options."""
    found: dict[str, dict[str, set[str]]] = {}
    for program in PROGRAMS:
        group: click.Group = importlib.import_module(f"{program.replace('-', '_')}.cli").main
        context = click.Context(group)
        found[program] = {"": {"--help", "--version"}}
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            members = command.commands.values() if isinstance(command, click.Group) else ()
            options = (
                option
                for part in (command, *members)
                for parameter in part.params
                for option in (*parameter.opts, *parameter.secondary_opts)
            )
            found[program][name] = {"--help", *options}
    return found


def calls(text: str) -> Iterator[list[str]]:
    """The words of every call of a program that a guide shows."""
    lines = [line for block in blocks(text, "", "sh", "bash") for line in block.replace("\\\n", " ").splitlines()]
    starts = (*PROGRAMS, "make", "python")
    for line in [*lines, *inline(text)]:
        if line.split(" ")[0] in starts and re.match(r"\S+ +[\w-]", line):
            words = shlex.split(line, comments=True)
            yield list(itertools.takewhile(lambda word: word not in ("|", "||", "&&"), words))


def options_in(file: Path) -> set[str]:
    """Everything in a script that looks like an option."""
    return set(re.findall(r"--[a-z][\w-]*", file.read_text(encoding="utf-8")))


def missing_commands(text: str, root: Path) -> list[str]:
    missing = []
    targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for program, name, *rest in calls(text):
        if program == "make":
            known: set[str] | None = set() if name in targets else None
        elif program == "python":
            known = options_in(root / name) if (root / name).is_file() else None
        else:
            known = commands()[program].get("" if name.startswith("--") else name)
        flags = [word.split("=")[0] for word in (name, *rest) if word.startswith("--")]
        missing += [f"{program} {name}"] if known is None else []
        missing += [f"{program} {name} {flag}" for flag in flags if known is not None and flag not in known]
    every = {option for program in commands().values() for options in program.values() for option in options}
    every = every.union(*(options_in(file) for file in root.glob("tools/**/*.py")))
    alone = [match[1] for span in inline(text) if (match := re.match(r"(--[a-z][\w-]*)", span))]
    return missing + [flag for flag in alone if flag not in every]


def test_what_the_guides_name_is_there(root: Path) -> None:
    found = {}
    for guide in guides(root):
        text = text_of(guide)
        missing = [
            *missing_paths(text, root, guide.parent),
            *missing_names(text, root),
            *missing_commands(text, root),
        ]
        if missing:
            found[str(guide.relative_to(root))] = missing
    assert found == {}


def test_the_guide_to_adding_things_lists_every_entry_point_group(root: Path) -> None:
    guide = (root / "docs/extending.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in guide.splitlines() if line[:1] == "|"]
    table = [row for row in rows if len(row) == 4 and row[2] not in ("entry-point group", "---")]
    listed = [row[2].strip("`") for row in table if row[2] != "–"]
    assert sorted(listed) == sorted(groups(root))
    assert len({row[0] for row in table}) == len(table)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`packages/offside-data/src/offside_data/nothing.py`", "packages/offside-data/src/offside_data/nothing.py"),
        ("`offside_data/contents.py`", "offside_data/contents.py"),
        ("`dataset/nothing.py`", "dataset/nothing.py"),
        ("`release/splits/`", "release/splits/"),
        ("`offside_data/release/splits/<name>.py`", "offside_data/release/splits/<name>.py"),
        ("`no_such.parquet`", "no_such.parquet"),
        ("`.offside/no_such/`", ".offside/no_such/"),
        ("[a page](docs/nothing.md)", "docs/nothing.md"),
        ("```\npip install packages/nothing\n```", "packages/nothing"),
        ("`offside_data.nothing`", "offside_data.nothing"),
        ("`offside_data.schema.Nothing`", "offside_data.schema.Nothing"),
        ("`offside_eval.compare.nothing()`", "offside_eval.compare.nothing"),
        ("```python\nfrom offside_data.schema import Nothing\n```", "offside_data.schema.Nothing"),
        ('```toml\n[project.entry-points."offside_data.splits"]\n```', "offside_data.splits"),
        ("`offside-data nothing league`", "offside-data nothing"),
        ("`offside-data check league --nothing`", "offside-data check --nothing"),
        ("```\noffside-data check league \\\n  --nothing  # why\n```", "offside-data check --nothing"),
        ("```\nmake nothing\n```", "make nothing"),
        ("```bash\npython tools/nothing.py --x\n```", "python tools/nothing.py"),
        ("`--no-such-flag`", "--no-such-flag"),
    ],
)
def test_what_is_not_there_is_noticed(root: Path, text: str, missing: str) -> None:
    found = [*missing_paths(text, root, root), *missing_names(text, root), *missing_commands(text, root)]
    assert missing in found


@pytest.mark.parametrize(
    "text",
    [
        "`offside_data/schema.py`, `dataset/card.py`, `tests/test_docs.py`, `checks/`, `tools/demo.py`, `.ci/run`",
        "`<package>/cli/<name>.py`, `offside_data/checks/<name>.py`, `.offside/releases/VERSION/`, `03/04/2021`",
        "`data/multimodal/forget-00000-of-00001.parquet`, `tables/images.parquet`, `decisions.jsonl`, `OUT/plots/`",
        "`offside_data.open_dataset`, `offside_data.schema.columns_of()`, `offside_data.release.splits`",
        "`offside-data check DATASET --strict`, `offside-data --version`, `make demo`, `--skip-bad`",
        "```\noffside-data check league || echo '--no-such-flag'\n```",
    ],
)
def test_what_is_there_passes(root: Path, text: str) -> None:
    assert [*missing_paths(text, root, root), *missing_names(text, root), *missing_commands(text, root)] == []
