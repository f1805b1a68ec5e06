"""The one shape of the three command lines: a lazy click group, one file per command.

A package's `cli/__init__.py` holds `main = command_group("offside_data.cli", "offside-data", __doc__)`.
Every public module in that folder is a command named as the file (underscores become dashes)
and defines `command`, a `click.Command`. A module is imported only when its command runs or its
own help is asked for; `SUMMARY` of each is read from the module's docstring without importing it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pkgutil
import textwrap
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click

from offside_data.errors import OffsideError

F = TypeVar("F", bound=Callable[..., Any])


class _LazyGroup(click.Group):
    def __init__(self, package: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        package = importlib.import_module(self.package)
        return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self._summary(name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _summary(self, name: str) -> str:
        spec = importlib.util.find_spec(f"{self.package}.{name.replace('-', '_')}")
        if spec is None or spec.origin is None:
            return ""
        doc = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
        return doc.split("\n", 1)[0]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OffsideError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)


def command_group(package: str, program: str, doc: str | None) -> click.Group:
    """The command line `program` whose commands are the files of `package`."""
    return click.version_option(version(program), prog_name=program)(
        _LazyGroup(
            package,
            name=program,
            help=doc,
            context_settings={
                "help_option_names": ["-h", "--help"],
                "auto_envvar_prefix": "OFFSIDE",
                "show_default": True,
            },
        )
    )


def json_option(function: F) -> F:
    """Add `--json` as `as_json`: print one JSON document on stdout instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def force_option(function: F) -> F:
    """Add `--force`: replace what the output folder holds."""
    return click.option("--force", is_flag=True, help="Replace what OUT already holds.")(function)


def seed_option(function: F) -> F:
    """Add `--seed`."""
    return click.option("--seed", type=int, default=0, help="Seed of everything random.")(function)


def device_options(function: F) -> F:
    """Add `--device`, `--dtype` and `--max-pixels`, shared by all commands that run a model."""
    function = click.option("--max-pixels", type=int, default=None, help="Upper bound on the pixels of a picture.")(
        function
    )
    function = click.option(
        "--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", help="Weights' type."
    )(function)
    return click.option("--device", default=None, help="cpu, cuda, cuda:1, mps; default: the best there is.")(function)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; NaN is refused."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_json_with(head: Mapping[str, Any], key: str, items: Iterable[Any]) -> None:
    """Print one JSON object as `print_json`: a head, then under a further key a list, item by item, however long."""

    def text(value: Any) -> str:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)

    click.echo(text(head).removesuffix("\n}") + f",\n  {text(key)}: [", nl=False)
    between = "\n"
    for item in items:
        click.echo(between + textwrap.indent(text(item), "    "), nl=False)
        between = ",\n"
    click.echo("]\n}" if between == "\n" else "\n  ]\n}")


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout; cells are plain text, never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
