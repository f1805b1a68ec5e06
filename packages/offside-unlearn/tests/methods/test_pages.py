"""Every method and wrapper of the toolkit has a page: the same headings, its paper, its options and their sources."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from offside_unlearn import METHODS, WRAPPERS

DOCS = Path(__file__).parents[4] / "docs"
HEADINGS = ("Idea", "Formula", "Paper", "Deviations", "When to use it", "Options", "Cost")
SOURCES = ("paper", "code", "ours")
MODULES = {
    name: registry.load(name)
    for registry in (METHODS, WRAPPERS)
    for name in registry.names()
    if registry.load(name).__name__.startswith("offside_unlearn.")
}
"""Ours: a third party documents its own."""

each_page = pytest.mark.parametrize("name", MODULES)


def folder_of(name: str) -> str:
    """`methods` or `wrappers`, where its page lies as well."""
    return str(MODULES[name].__name__.split(".")[1])


def sections(name: str) -> dict[str, str]:
    """A page's text by heading, in order; the part above the first one by the title."""
    parts = re.split(
        r"^#{1,2} (.+)$", (DOCS / folder_of(name) / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert not parts[0].strip()
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of the tables in a text, without heads and rulers."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    for line in table[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def documented_sources(config: type) -> dict[str, str]:
    """For each option the kind of source that its docstring names first; a subclass's words win."""
    found: dict[str, str] = {}
    for part in reversed(config.__mro__):
        option = ""
        for line in inspect.cleandoc(part.__doc__ or "").splitlines():
            head = re.match(r" {4}(\w+): ", line)
            option = head[1] if head else option
            source = re.search(r"source: (\w+)", line)
            if source and option:
                found[option] = source[1]
    return found


@each_page
def test_it_has_the_headings_in_their_order(name: str) -> None:
    found = sections(name)
    assert tuple(found) == (name, *HEADINGS)
    assert all(found[heading].strip() for heading in HEADINGS)


@each_page
def test_it_names_its_paper(name: str) -> None:
    paper, text = MODULES[name].PAPER, sections(name)["Paper"]
    assert f"]({paper.url})" in text
    assert paper.title in " ".join(text.split())


@each_page
def test_it_says_against_what_its_deviations_were_checked(name: str) -> None:
    text = " ".join(sections(name)["Deviations"].split())
    assert re.match(r"Checked against the (code|paper)|Built from a summary, not checked against the paper", text)


@each_page
def test_it_lists_every_option_once_with_its_default_and_source(name: str) -> None:
    config: Any = MODULES[name].Config()
    listed = list(rows(sections(name)["Options"]))
    fields = [field.name for field in dataclasses.fields(config)]
    assert sorted(row[0].strip("`") for row in listed) == sorted(fields)
    sources = documented_sources(type(config))
    for option, default, source in listed:
        field = option.strip("`")
        assert yaml.safe_load(default.strip("`")) == getattr(config, field), field
        assert source.startswith(SOURCES), f"{field}: {source}"
        assert re.match(r"\w+", source)[0] == sources[field], f"{field}: page and docstring name other sources"


@pytest.mark.parametrize("folder", ["methods", "wrappers"])
def test_the_list_has_a_line_for_each_and_no_other(folder: str) -> None:
    names = [name for name in MODULES if folder_of(name) == folder]
    text = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    summaries = {name: (MODULES[name].__doc__ or "").split("\n", 1)[0] for name in names}
    expected = [f"* [{name}]({name}.md): {summary}" for name, summary in summaries.items()]
    assert re.findall(r"^\* \[.+?\]\(.+?\.md\): .+$", text, re.MULTILINE) == expected
    assert sorted(page.stem for page in (DOCS / folder).glob("*.md")) == sorted([*names, "index"])
