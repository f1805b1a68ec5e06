from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from offside_data import commandline
from offside_data.cli import main
from offside_data.commandline import (
    command_group,
    defaults_from,
    device_options,
    print_cards,
    print_json,
    seed_option,
)

GREET = '''"""Greet somebody.

More about it.
"""
import click
from offside_data.commandline import force_option, json_option, seed_option, device_options, print_json
from offside_data.errors import RecordError, UsageError

@click.command()
@click.argument("name")
@json_option
@force_option
@seed_option
@device_options
def command(name, as_json, **options):
    """Greet NAME."""
    if name == "nobody":
        raise UsageError("nobody can't be greeted.")
    if name == "broken":
        raise RecordError("record r1: broken.")
    if name == "long":
        raise KeyboardInterrupt
    if name.isdigit():
        raise OSError(int(name), "what the system says", "out.parquet")
    if as_json:
        print_json({"hello": name, **options})
    else:
        click.echo(f"hello {name}")
'''


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> click.Group:
    package = f"commands_{abs(hash(request.node.nodeid))}"
    (tmp_path / package).mkdir()
    for name, text in {
        "__init__": "",
        "say_hello": GREET,
        "broken": '"""Never imported."""\nraise RuntimeError',
        "_private": "",
    }.items():
        (tmp_path / package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return command_group(package, "offside-data", "A program.")


def run(group: click.Group, *args: str) -> click.testing.Result:
    return CliRunner().invoke(group, args)


def test_help_lists_the_folder_without_importing_it(group: click.Group) -> None:
    result = run(group, "--help")
    assert result.exit_code == 0
    assert "say-hello" in result.stdout
    assert "Greet somebody." in result.stdout
    assert "Never imported." in result.stdout
    assert "private" not in result.stdout
    assert not any(name.endswith((".say_hello", ".broken")) and "commands_" in name for name in sys.modules)


def test_a_command_runs(group: click.Group) -> None:
    assert run(group, "say-hello", "you").stdout == "hello you\n"


def test_common_options(group: click.Group) -> None:
    printed = json.loads(run(group, "say-hello", "you", "--json", "--seed", "3", "--dtype", "bfloat16").stdout)
    assert printed == {
        "hello": "you",
        "force": False,
        "seed": 3,
        "device": None,
        "dtype": "bfloat16",
        "max_pixels": None,
    }


def test_wrong_usage_exits_2_and_failed_work_1(group: click.Group) -> None:
    wrong, failed = run(group, "say-hello", "nobody"), run(group, "say-hello", "broken")
    assert (wrong.exit_code, wrong.stderr) == (2, "error: nobody can't be greeted.\n")
    assert (failed.exit_code, failed.stderr) == (1, "error: record r1: broken.\n")
    assert run(group, "nothing").exit_code == 2


def test_an_interruption_says_how_to_go_on(group: click.Group) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        done = CliRunner().invoke(group, ["say-hello", "long"])
    finally:
        signal.signal(signal.SIGINT, before)  # A program that is leaving hears no second one.
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Run the same command again" in done.stderr
    assert "Aborted" not in done.stderr


def test_a_second_interruption_ends_in_no_traceback(tmp_path: Path) -> None:
    """It comes while the program is leaving: threads are joined, what torch holds is given back."""
    (tmp_path / "verbs").mkdir()
    (tmp_path / "verbs" / "__init__.py").write_text("")
    (tmp_path / "verbs" / "wait.py").write_text(
        "import click, time\n@click.command()\ndef command():\n    print('at work', flush=True)\n    time.sleep(60)\n"
    )
    code = (
        "import atexit, signal, time\nfrom offside_data.commandline import command_group\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\natexit.register(time.sleep, 3)\n"
        "command_group('verbs', 'offside-data', 'A program.')(['wait'])"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path},
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "at work\n"
        program.send_signal(signal.SIGINT)
        told = [program.stderr.readline() for _ in range(2)]
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
    assert told[1].startswith("Interrupted.")
    assert (program.returncode, rest) == (1, "")


def test_an_option_given_twice_is_refused(group: click.Group) -> None:
    twice = run(group, "say-hello", "you", "--seed", "3", "--seed=4")
    assert twice.exit_code == 2
    assert "--seed is given 2 times, and takes one value: give it once." in twice.stderr
    assert run(group, "say-hello", "you", "--force", "--force").exit_code == 0


def test_defaults_come_from_the_environment(group: click.Group) -> None:
    result = CliRunner().invoke(
        group,
        ["say-hello", "you", "--json"],
        auto_envvar_prefix="OFFSIDE",
        env={"OFFSIDE_SAY_HELLO_SEED": "9"},
    )
    assert json.loads(result.stdout)["seed"] == 9


def test_the_version_is_shown() -> None:
    assert "offside-data, version " in run(main, "--version").stdout


@pytest.mark.parametrize("command", main.list_commands(click.Context(main)))
def test_every_command_explains_itself(command: str) -> None:
    result = run(main, command, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.stdout


def test_json_holds_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))


def test_cells_are_text_and_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_cards("T", ["a"], [["[bold]x[/bold]"], ["[link=http://x]"]])
    printed = capsys.readouterr().out
    assert "[bold]x[/bold]" in printed
    assert "[link=http://x]" in printed


LISTED = [
    ["choice_accuracy", "Whether the right choice is the likeliest answer of all that are offered.", "choices", ""],
    [
        "値の一致",
        "Whether the answer states `p(y|x)^(1/T)`, 二つの言葉 by kind.",
        "generation",
        "paper, judge",
    ],
    ["x", "https://example.org/" + "a" * 70 + " sha256:" + "0" * 64, "\u22120.25\n[\u22121.00, 0.50]", "-"],
]
HEADINGS = ["metric", "what it is", "higher is better", "variants"]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("rows", [LISTED, LISTED[:2], LISTED[:1], []])
def test_lists_break_between_words_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, rows: list[list[str]]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_cards("A title of a few words, neither long nor short but enough to fill 40 columns", HEADINGS, rows)
    printed = capsys.readouterr().out
    shown = printed.split()
    assert [w for row in rows for cell in row for w in cell.split() if w.rstrip(",") not in " ".join(shown)] == []
    assert all(word in shown for row in rows for cell in row[1:3] for word in cell.split())
    longest = max([0, *(cell_len(word) for word in shown)])
    assert all(cell_len(line) <= max(width, longest + 4) for line in printed.splitlines())


def test_a_list_is_a_table_where_it_fits_and_cards_where_it_does_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    print_cards("Metrics", HEADINGS, LISTED[:2])
    wide = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    print_cards("Metrics", HEADINGS, LISTED[:1])
    assert "│ choice_accuracy" in wide
    assert capsys.readouterr().out.splitlines() == [
        "Metrics",
        "",
        "choice_accuracy",
        "  what it is:       Whether the right choice is the",
        "                    likeliest answer of all that are",
        "                    offered.",
        "  higher is better: choices",
    ]


def test_options_take_their_defaults_from_a_dataclass() -> None:
    @dataclass(frozen=True)
    class Config:
        seed: int = 7
        names: tuple[str, ...] = ("a", "b")
        only: tuple[str, ...] = ()
        dtype: str = "bfloat16"
        needed: int = field(kw_only=True)

    @defaults_from(Config)
    @click.command()
    @click.option("--names")
    @click.option("--only", multiple=True)
    @click.option("--needed", type=int, default=3)
    @click.option("--other", default="own")
    @seed_option
    @device_options
    def command(**options: object) -> None:
        click.echo(json.dumps(options))

    assert json.loads(CliRunner().invoke(command, []).stdout) == {
        "seed": 7,
        "names": "a,b",
        "only": [],
        "dtype": "bfloat16",
        "needed": 3,
        "other": "own",
        "device": None,
        "max_pixels": None,
    }


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "make room on the disk"), (errno.EROFS, "name another place"), (errno.EEXIST, "Name another")],
    ids=str,
)
def test_a_full_or_locked_disk_is_no_traceback(group: click.Group, number: int, advice: str) -> None:
    result = CliRunner().invoke(group, ["say-hello", str(number)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: out.parquet: ")
    assert advice in result.stderr


def test_a_fault_of_ours_keeps_its_traceback(group: click.Group) -> None:
    assert isinstance(CliRunner().invoke(group, ["say-hello", str(errno.EBADF)]).exception, OSError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["say-hello", "you"], ["--help"], ["say-hello", "--help"]], ids=str)
def test_a_full_disk_under_the_output_is_told_once(group: click.Group, tmp_path: Path, words: list[str]) -> None:
    # In a program of its own: it is Python that complains when it ends.
    code = "import sys; from offside_data.commandline import command_group as group\n"
    code += "group(sys.argv[1], 'offside-data', 'x')(sys.argv[2:])"
    package = group.package  # type: ignore[attr-defined]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, package, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device.")
    assert len(done.stderr.splitlines()) == 1


def test_letters_that_a_terminal_lacks_are_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    terminal = io.TextIOWrapper(stream, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    with commandline._speaking():
        print("€ 3")
    terminal.flush()
    assert stream.getvalue() == b"\\u20ac 3\n"


def test_a_lack_of_memory_is_told() -> None:
    @click.command()
    def greedy() -> None:
        raise MemoryError

    group = command_group("offside_data.cli", "offside-data", "x")
    group.add_command(greedy)
    result = CliRunner().invoke(_with(group, greedy), ["greedy"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a machine with more memory" in result.stderr


def _with(group: click.Group, command: click.Command) -> click.Group:
    group.resolve_command = lambda ctx, args: (command.name, command, args[1:])  # type: ignore[method-assign]
    return group


def test_every_path_knows_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_text("x")
    monkeypatch.chdir(tmp_path)
    path = commandline._at_home(click.Path(path_type=Path, exists=True, dir_okay=False))
    assert path.convert("~/x", None, None) == tmp_path / "x"
    assert path.convert("x", None, None) == Path("x")
    Path("~").mkdir()
    Path("~/x").write_text("a folder that is called so")
    assert path.convert("~/x", None, None) == Path("~/x")
    with pytest.raises(click.BadParameter, match="does not exist"):
        path.convert("~/nothing", None, None)
