"""Runs commands of `offside-data` in forks of a program that has imported what they use, which takes them longest.

    with forks(start, place, commands) as begin:            # In a test.
        assert begin(folder, ["check", "dataset"], folder / "said.txt").wait() == 0

    python tests/forked_commands.py START PLACE COMMANDS    # The program; JSON: commands that it imports for.

The program reads a JSON object a command, and runs one after the other in processes of their own. It tells a process's
number at once, and how it ended when it has. It forks, so nothing may be at work in it but itself: that's why it is a
program.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from offside_data.cli import main


class ForkedCommand:
    """A command that was begun in a fork: as much of `subprocess.Popen` as tests need.

    Args:
        program: The program that forks, just after it was asked to.
        arguments: Of the command.
    """

    def __init__(self, program: subprocess.Popen[bytes], arguments: Sequence[str]) -> None:
        self._program, self._arguments = program, arguments
        self.pid = self._told()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, or what killed it as a negative number.

        Raises:
            subprocess.TimeoutExpired: If it hasn't ended after so many seconds.
        """
        if not select.select([self._program.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(list(self._arguments), timeout or 0.0)
        return self._told()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # It has just ended.
            os.kill(self.pid, signal.SIGKILL)

    def _told(self) -> int:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, "the program that forks has ended"
        return int(line)


Begin = Callable[[Path, Sequence[str], Path], "ForkedCommand | subprocess.Popen[bytes]"]
"""Begins a command, given the folder it works in, its arguments, and the file for all that it says."""


def begin_program(folder: Path, arguments: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    """The real program, as a person would begin it."""
    program = Path(sys.executable).with_name("offside-data")
    with output.open("wb") as stream:
        return subprocess.Popen([program, *arguments], cwd=folder, stdout=stream, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def forks(start: Path, place: Path, commands: Sequence[Sequence[str]]) -> Iterator[Begin]:
    """What begins commands in forks.

    Args:
        start: A folder in which the `commands` can be run; it stays as it is.
        place: An empty folder, for copies of it.
        commands: They are run first, so that what they use is imported; others may be begun all the same.
    """
    program = [sys.executable, __file__, str(start), str(place), json.dumps(commands)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}  # What is told is read line by line.
    with subprocess.Popen(program, env=os.environ | {"POLARS_MAX_THREADS": "1"}, **pipes) as process:

        def begin(folder: Path, arguments: Sequence[str], output: Path) -> ForkedCommand:
            output.write_bytes(b"")  # Killed early, it has said nothing.
            asked = {"folder": str(folder), "arguments": arguments, "output": str(output)}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            return ForkedCommand(process, arguments)

        # Else the first command would seem to take as long as the imports, and its kills would come too late.
        assert process.stdout.readline() == b"loaded\n", "the program that forks couldn't load what is used"
        yield begin


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Run a command in this process; its exit status."""
    os.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _status(arguments)


def _status(arguments: Sequence[str]) -> int:
    try:
        main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def load_what_is_used(start: str, place: Path, commands: Sequence[Sequence[str]]) -> None:
    """Import what the commands import while they run, so that it is loaded once and not in every fork."""
    for number, arguments in enumerate(commands):
        folder, names = place / f"loading-{number}", place / "modules.txt"
        shutil.copytree(start, folder)
        child = os.fork()
        if child == 0:
            run(folder, arguments)
            names.write_text("\n".join(sys.modules))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, arguments
        for name in names.read_text().splitlines():
            with contextlib.suppress(ImportError):  # Some are made while a program runs and have no file.
                importlib.import_module(name)
        shutil.rmtree(folder)


def _become(folder: str, output: str) -> None:
    """Let this fork stand where a person would run the command: what it was given is the program's."""
    os.chdir(folder)
    said, nothing = os.open(output, os.O_WRONLY), os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, said, said)):
        os.dup2(file, number)


def _main(start: str, place: str, commands: str) -> None:
    load_what_is_used(start, Path(place), json.loads(commands))
    print("loaded", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked["folder"], asked["output"])
            status = _status(asked["arguments"])  # An error ends the fork here, and is told, as in any program.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # Taking down all that was imported would take twice as long as the command.
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
