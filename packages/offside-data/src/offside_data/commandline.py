"""The one shape of the three command lines: a lazy click group, one file per command.

A package's `cli/__init__.py` holds `main = command_group("offside_data.cli", "offside-data", __doc__)`.
Every public module in that folder is a command named as the file (underscores become dashes)
and defines `command`, a `click.Command`. A module is imported only when its command runs or its
own help is asked for; `SUMMARY` of each is read from the module's docstring without importing it.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import errno
import functools
import importlib
import importlib.util
import io
import json
import os
import pkgutil
import signal
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click

from offside_data.dataset.lock import waiting
from offside_data.errors import OffsideError
from offside_data.progress import log, process_number

F = TypeVar("F", bound=Callable[..., Any])

_ROOM = "What was being written was left out; make room on the disk and run the command again."
_RIGHTS = "Give yourself the right to read and write there, or name another place."
_OF_THE_MACHINE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _RIGHTS),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG), "Name another place."),
    errno.EIO: "The disk may be damaged.",
    errno.ELOOP: "A link there leads back to itself: put the file or folder itself in its place.",
    **dict.fromkeys((errno.ENXIO, errno.ENODEV), "Name a regular file."),
    **dict.fromkeys((errno.EBUSY, errno.ETXTBSY), "Another program uses it; end that, and run the command again."),
    errno.ESTALE: "The network disk was reached no more; run the command again when it is.",
    errno.ENOMEM: "Close other programs, or use a machine with more memory.",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Raise the limit of open files (`ulimit -n`)."),
}
"""What to do about errors of the system that no code of ours could have foreseen; others are faults of ours."""


_INTERRUPTED = (
    "Interrupted. Run the same command again: what was finished is used, what was half-written is put right first."
)


class _HomePath(click.Path):
    """A path whose `~` is the person's home, as shells make it but for `--option=~/there`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value.startswith("~") and not os.path.lexists(value):
            value = os.path.expanduser(value)
        return super().convert(value, param, ctx)


def _at_home(given: click.Path) -> _HomePath:
    path = _HomePath()
    path.__dict__.update(given.__dict__)
    return path


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
        for parameter in command.params:
            if type(parameter.type) is click.Path:
                parameter.type = _at_home(parameter.type)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _require_once(command, ctx, name, rest)
        return name, command, rest

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

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # Of what isn't a command's: a help that can't be printed.
            if error.errno not in _OF_THE_MACHINE:
                raise
            _tell(error)
            sys.exit(OffsideError.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _speaking():
                done = super().invoke(ctx)
                sys.stdout.flush()  # Here a full disk is still told as one.
                return done
        except OffsideError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _hear_no_more()
            click.echo(f"\n{_INTERRUPTED}", err=True)
            ctx.exit(OffsideError.exit_code)
        except OSError as error:
            if error.errno not in _OF_THE_MACHINE:
                raise
            _tell(error)
            ctx.exit(OffsideError.exit_code)
        except MemoryError:
            click.echo(f"error: {os.strerror(errno.ENOMEM)}. {_OF_THE_MACHINE[errno.ENOMEM]}", err=True)
            ctx.exit(OffsideError.exit_code)


@contextlib.contextmanager
def _speaking() -> Iterator[None]:
    """Results are printed by the first of several processes that do one command together."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # A name may hold letters that the terminal hasn't.
    if process_number() == 0:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _tell(error: OSError) -> None:
    """Say what the system says, and what to do about it."""
    place = f"{error.filename}: " if error.filename else ""
    click.echo(f"error: {place}{os.strerror(error.errno or 0)}. {_OF_THE_MACHINE[error.errno or 0]}", err=True)
    try:  # What couldn't be printed is given up: else Python tries again when it ends, and complains in its own words.
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the program ends.


def _hear_no_more() -> None:
    """Leave in peace: a second Ctrl-C would end in a traceback what has been interrupted already."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _require_once(command: click.Command, parent: click.Context, name: str | None, words: Sequence[str]) -> None:
    """Refuse an option that takes one value and was given another: click would take the last one unseen."""
    context = click.Context(command, info_name=name, parent=parent)
    _, _, order = command.make_parser(context).parse_args(list(words))
    given = Counter(p for p in order if isinstance(p, click.Option) and not (p.multiple or p.is_flag or p.count))
    for option, n in given.items():
        if n > 1:
            told = f"{max(option.opts, key=len)} is given {n} times, and takes one value: give it once."
            raise click.UsageError(told, context)


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
    """Add `--force`: replace what we wrote into the output folder."""
    return click.option(
        "--force", is_flag=True, help="Replace what an earlier command wrote into OUT; other files in it stay."
    )(function)


def wait_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--wait`: wait while another process changes the folder, instead of stopping."""

    @functools.wraps(function)
    def waiting_or_not(*args: Any, wait: bool, **kwargs: Any) -> Any:
        with waiting(wait):
            return function(*args, **kwargs)

    return click.option("--wait", is_flag=True, help="Wait while another command uses the folder.")(waiting_or_not)


def seed_option(function: F) -> F:
    """Add `--seed`, in the range that every generator takes."""
    seeds = click.IntRange(0, 2**32 - 1)
    return click.option("--seed", type=seeds, default=0, show_default=True, help="Seed of everything random.")(function)


def point_option(function: F) -> F:
    """Add `--point`, which takes a run's curve at one of its points; see `run_curve.find_point`."""
    return click.option(
        "--point",
        metavar="STEPS|forgetting=LEVEL",
        help="Take a point of the run's curve instead of its end: by steps, or the first that had forgotten so much.",
    )(function)


def device_options(function: F) -> F:
    """Add `--device`, `--dtype` and `--max-pixels`, shared by all commands that run a model."""
    function = click.option("--max-pixels", type=int, default=None, help="Upper bound on the pixels of a picture.")(
        function
    )
    function = click.option(
        "--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", help="Weights' type."
    )(function)
    return click.option("--device", default=None, help="cpu, cuda, cuda:1, mps; default: the best there is.")(function)


def defaults_from(config: type[Any]) -> Callable[[click.Command], click.Command]:
    """Give the options of a command the defaults of the dataclass fields that they are named as.

    Args:
        config: The dataclass, the one place where these defaults live. An option that is no field keeps its own.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(config)}

    def decorate(command: click.Command) -> click.Command:
        for option in command.params:
            default = defaults.get(option.name or "", dataclasses.MISSING)
            if default is not dataclasses.MISSING:
                # A tuple in one option is written with commas.
                joined = isinstance(default, tuple) and not option.multiple
                option.default = ",".join(map(str, default)) if joined else default
        return command

    return decorate


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


_LEGIBLE = 20
"""Columns of a table are at least as wide as this, if their text is."""


def print_published(told: Mapping[str, Any], says: Mapping[str, str], *, as_json: bool) -> None:
    """Print what became of something that was to be published.

    Args:
        told: `repo`, `url`, `outcome`, `commit`, where it has one its `digest`, `changes` of files (`path`, `action`,
            `bytes`), and `notes`, which go to stderr.
        says: Each outcome in words, with names of `told` in braces.
        as_json: Print `told` as it is.
    """
    if as_json:
        print_json(told)
        return
    if told["changes"]:
        files = [[c["path"], c["action"], f"{c['bytes']:,}"] for c in told["changes"]]
        print_cards("", ["file", "", "bytes"], files)
    click.echo(says[told["outcome"]].format(**told))
    for name in ("commit", "digest"):
        if told.get(name):
            click.echo(f"{name} {told[name]}")
    click.echo(told["url"])
    for note in told["notes"]:
        log(f"note: {note}")


def print_cards(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a list on stdout: a table where it fits the terminal, otherwise a card for each row.

    Text wraps between words. Cells are plain text, never markup.

    Args:
        title: Text above the list; may be empty.
        columns: A heading for each column.
        rows: As many cells in each row as there are columns; the first one becomes a card's title. Lines within a
            cell stay together in a table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if title:
        console.out("\n".join(_wrapped(title, console.width)), style="bold")
    widths = _column_widths([list(column) for column in zip(columns, *rows, strict=True)], console.width)
    if widths is None:
        for number, (first, *cells) in enumerate(rows):
            if title or number:
                console.out()
            print_card(", ".join(first.split("\n")), list(zip(columns[1:], cells, strict=True)))
        return
    # Wrapped here, because rich cuts words that stand beside double-width ones.
    table = Table()
    for heading, width in zip(columns, widths, strict=True):
        table.add_column(Text("\n".join(_wrapped(heading, width))), width=width)
    for row in rows:
        wrapped = [[_wrapped(line, w) for line in cell.split("\n")] for cell, w in zip(row, widths, strict=True)]
        table.add_row(*(Text("\n".join(chain.from_iterable(cell))) for cell in wrapped))
    console.print(table)


def _column_widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths of a table's columns in `room` characters, frame included; null if a column would be too narrow."""
    from rich.cells import cell_len

    widest = [max(cell_len(line) for cell in cells for line in cell.split("\n")) for cells in columns]
    words = [max((cell_len(word) for cell in cells for word in cell.split()), default=1) for cells in columns]
    widths = [max(word, min(wide, _LEGIBLE)) for wide, word in zip(widest, words, strict=True)]
    spare = room - sum(widths) - 3 * len(columns) - 1
    if spare < 0:
        return None
    by_lack = sorted(range(len(columns)), key=lambda i: widest[i] - widths[i])
    for place, i in enumerate(by_lack):
        more = min(widest[i] - widths[i], spare // (len(columns) - place))
        widths[i], spare = widths[i] + more, spare - more
    return widths


def print_card(title: str, fields: Sequence[tuple[str, str]]) -> None:
    """Print a title and below it one field a line; empty ones are left out.

    Text wraps between words; a word that is too long for a line is printed whole.

    Args:
        title: Plain text.
        fields: Name and plain text of each.
    """
    from rich.cells import cell_len
    from rich.console import Console

    console = Console(highlight=False)
    console.out("\n".join(_wrapped(title, console.width)), style="bold")
    indent = max((cell_len(name) for name, _ in fields), default=0) + 4
    for name, value in fields:
        head, at = f"  {name}:" if name else "", indent
        if max(map(cell_len, value.split()), default=0) > console.width - indent:
            if head:
                console.out(head)
            head, at = "", 4
        for line in _wrapped(value, console.width - at):
            console.out(f"{head:<{at}}{line}")
            head = ""


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room` cells, cut between words only; `textwrap` counts characters, not cells."""
    from rich.cells import cell_len

    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
