"""The command-line reference: one page a program, from its own command tree.

Nothing is kept: what `--help` says is what the page says. A command's module is imported, and no module imports torch,
polars or datasets before its command runs.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
from collections.abc import Iterator

import click

PROGRAMS = ("offside-data", "offside-unlearn", "offside-eval")
_MARKUP = re.compile(r"([\\`*_\[\]|])")


def program_page(program: str) -> str:
    """Every command of a program, with every option, as Markdown.

    Args:
        program: One of `PROGRAMS`.
    """
    group: click.Group = importlib.import_module(f"{program.replace('-', '_')}.cli").main
    context = click.Context(group, info_name=program, **group.context_settings)
    parts = [f"# {program}", _text(group.help), *_options(group, context)]
    for command, inner in _commands(group, context):
        depth = "#" * (1 + inner.command_path.count(" "))
        usage = command.get_usage(inner).removeprefix("Usage: ")
        parts += [f"{depth} {inner.command_path}", f"```text\n{usage}\n```", _text(command.help)]
        parts += _options(command, inner)
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context, **command.context_settings)
        yield command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _options(command: click.Command, context: click.Context) -> list[str]:
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    if not rows:
        return []
    cells = [f"| {_code(option)} | {_cell(said)} |" for option, said in rows]
    return ["\n".join(["| option | |", "| --- | --- |", *cells])]


def _code(option: str) -> str:
    # In a table a pipe ends the cell, in backticks too.
    return "<code>" + html.escape(option).replace("|", "&#124;") + "</code>"


def _escaped(text: str) -> str:
    """Plain text as Markdown that shows it letter by letter, but for what stands in backticks."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(p if p.startswith("`") else _MARKUP.sub(r"\\\1", html.escape(p, quote=False)) for p in parts)


def _cell(text: str) -> str:
    return "".join(
        _code(part[1:-1]) if len(part) > 1 and part[0] == part[-1] == "`" else _escaped(part)
        for part in re.split(r"(`[^`]+`)", " ".join(text.split()))
    )


def _text(said: str | None) -> str:
    """The text of a command's help: paragraphs, and what a mark of click calls laid out already."""
    paragraphs = inspect.cleandoc(said or "").split("\f")[0].strip().split("\n\n")
    return "\n\n".join(
        "```text\n" + paragraph.removeprefix("\b\n") + "\n```" if paragraph.startswith("\b") else _escaped(paragraph)
        for paragraph in paragraphs
    )
