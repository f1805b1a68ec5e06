"""Curation commands, killed before every step of theirs, or stopped while others come: nothing is lost.

`dataset/test_journal.py` and `cli/test_in_use.py` of offside-data say the same of single parts, and sooner.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from forked_commands import Begin, begin_program, forks

pytestmark = pytest.mark.full

COMMANDS = {
    "ingest": ["ingest", "claims.csv", "dataset", "--force", "--format", "claims"],
    "remove": ["remove", "dataset", "--subject", "ilmar-quist", "--reason", "Asked for."],
    "release": ["release", "dataset", "--bump", "major", "--note", "Again."],
    "edit": ["edit", "dataset", "edits.csv"],
    "export": ["export", "dataset", "out", "--format", "swift", "--force"],
}
THEN = ["ingest", "claims.csv", "dataset", "--force", "--format", "claims"]
"""A command that would bring everybody back if it didn't put right first what was left."""
SHEET = """subject;attribute;value;veracity;split;answer
Tavo Brinkhaus;height;1.80 m;fact;retain;The player is 1.80 m tall.
Tavo Brinkhaus;nationality;Avaria;fact;retain;The player represents Avaria.
Ilmar Quist;height;1.75 m;fact;retain;The player is 1.75 m tall.
Ilmar Quist;nationality;Belmora;fact;retain;The player represents Belmora.
Sanne Ulbrich;height;1.91 m;fact;retain;The player is 1.91 m tall.
"""
"""The first one was taken down before."""


def run(folder: Path, *arguments: str) -> str:
    """A command, in a process of its own; fails as it fails."""
    done = subprocess.run(
        [sys.executable, "-c", "from offside_data.cli import main; main()", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released dataset from which somebody was taken down, its source, an export, and notes everywhere."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "claims.csv").write_text(SHEET)
    run(folder, "ingest", "claims.csv", "dataset", "--format", "claims")
    run(folder, "release", "dataset", "--bump", "major", "--note", "First.")
    run(folder, "remove", "dataset", "--subject", "tavo-brinkhaus", "--reason", "Asked for.")
    run(folder, "edit", "dataset", "--template", "edits.csv", "--columns", "suspect")
    lines = (folder / "edits.csv").read_text().splitlines()
    # Of somebody whom no command here takes down.
    edits = [f"{line}look again" for line in lines[1:] if "sanne-ulbrich" in line]
    (folder / "edits.csv").write_text("\n".join([lines[0], *edits]) + "\n")
    run(folder, "export", "dataset", "out", "--format", "swift")
    for place in ("dataset", "out"):
        (folder / place / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "edit"])
def test_nothing_is_lost_at_any_step(name: str, start: Path, tmp_path: Path) -> None:
    """Killed anywhere; then the same again, or an import that would bring somebody back, and the proof."""
    commands = [COMMANDS[name], COMMANDS[name], THEN, ["remove", "dataset", "--verify"]]
    program = [sys.executable, str(Path(__file__).with_name("killed_commands.py"))]
    done = subprocess.run(
        [*program, str(start), str(tmp_path), json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) > 10
    gone = 2 if name == "remove" else 1
    for step in steps:
        assert step["codes"] == [0, 0], step
        assert step["tombstones"] in {1, gone}, step  # Killed early, and then another command: nobody more is gone.
        assert step["named"] == [], step
        assert "1.0.0" in step["releases"], step
        assert step["notes"] == ["dataset", "out"], step
        assert (step["left"], step["beside"]) == ([], []), step


OTHERS = {**COMMANDS, "tag": ["tag", "dataset"], "questions": ["questions", "dataset"]}
"""Commands that come while one is stopped. Each changes the dataset, but for `export`, which reads it."""


AFTER = [["check", "dataset"], ["remove", "dataset", "--verify"]]
"""Commands that come last."""


@pytest.fixture(scope="module")
def forked(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Begins commands without importing what they use in each."""
    with forks(start, tmp_path_factory.mktemp("loading"), [*OTHERS.values(), *AFTER]) as begin:
        yield begin


def call(begin: Begin, folder: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Exit status and messages of a command."""
    output = folder.with_suffix(".txt")
    return begin(folder, arguments, output).wait(), output.read_text()


@pytest.mark.parametrize("moment", ["journal", "moves"])
@pytest.mark.parametrize("first", [name for name in COMMANDS if name != "export"])
def test_two_at_once_come_one_after_the_other(
    first: str, moment: str, start: Path, forked: Begin, tmp_path: Path
) -> None:
    """The stopped one is a process of its own; the others are forks, but once the real program."""
    begin = begin_program if (first, moment) == ("edit", "moves") else forked
    folder = tmp_path / "work"
    shutil.copytree(start, folder)
    program = [sys.executable, str(Path(__file__).with_name("stopped_command.py")), moment]
    with subprocess.Popen([*program, *COMMANDS[first]], cwd=folder, stdout=subprocess.DEVNULL) as stopped:
        pid, status = os.waitpid(stopped.pid, os.WUNTRACED)
        assert pid == stopped.pid
        assert os.WIFSTOPPED(status), "it ended before its worst moment"
        try:
            for name, arguments in OTHERS.items():
                code, said = call(begin, folder, arguments)
                if name == "export" and moment == "journal":
                    assert code == 0, said  # Nothing has changed yet, so it reads what was.
                else:
                    assert (code, f"in use by process {stopped.pid}" in said) == (1, True), (name, said)
        finally:
            stopped.send_signal(signal.SIGCONT)
    assert stopped.returncode == 0
    for name, arguments in OTHERS.items():
        if name not in (first, "release"):
            code, said = call(begin, folder, arguments)
            assert code == 0, (name, said)
    for arguments in AFTER:
        code, said = call(begin, folder, arguments)
        assert code == 0, said
    lines = (folder / "dataset" / "decisions.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["kind"] == "takedown" for line in lines) == 2
    assert (folder / "dataset" / "notes.txt").read_text() == "mine"
