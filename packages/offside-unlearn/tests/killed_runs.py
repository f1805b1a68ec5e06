"""Runs `offside-unlearn` commands in forks of a program that has imported what they use, and kills them on the way.

    with KilledRuns() as runs:                                        # In a test.
        runs.kill_when(lambda: file.exists(), ["run", "npo", ...], folder / "said.txt")

    python packages/offside-unlearn/tests/killed_runs.py              # The program.

A command that is begun as a person would begin it spends most of its time on imports. The program reads a JSON object a
command, tells the number of the process that runs it, and how that ended. It forks, so nothing may be at work in it.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

USED = (
    *("torch", "peft", "polars", "datasets", "accelerate", "safetensors.torch", "transformers.trainer"),
    *("transformers.models.auto.modeling_auto", "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl"),
    *("transformers.models.qwen2_5_vl.processing_qwen2_5_vl", "offside_unlearn", "offside_unlearn.engine"),
)
"""Modules that take long to import; others are imported by the command itself."""


class KilledRuns:
    """The program that forks, used in a `with` block."""

    def __enter__(self) -> KilledRuns:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        self._program = subprocess.Popen([sys.executable, __file__], env=environment, **pipes)
        assert self._told() == 0, "the program couldn't load what is used"
        return self

    def __exit__(self, *error: object) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(timeout=60)
        assert self._program.stdout is not None
        self._program.stdout.close()

    def kill_when(self, reached: Callable[[], bool], arguments: Sequence[str], said: Path) -> None:
        """Begin a command, and kill it with `kill -9` as soon as it has come so far.

        Args:
            reached: Whether it has.
            arguments: Of the command.
            said: The file for what it says.
        """
        assert self._program.stdin is not None
        said.write_text("")
        self._program.stdin.write(json.dumps({"arguments": arguments, "said": str(said)}).encode() + b"\n")
        number = self._told()
        deadline = time.monotonic() + 120
        while not reached():
            assert not select.select([self._program.stdout], [], [], 0.01)[0], said.read_text()
            assert time.monotonic() < deadline
        os.kill(number, signal.SIGKILL)
        assert self._told() == -signal.SIGKILL, "it ended before it could be killed"

    def _told(self) -> int:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, "the program that forks has ended"
        return int(line)


def _main() -> None:
    from offside_unlearn.cli import main

    for name in USED:
        importlib.import_module(name)
    print(0, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            said = os.open(asked["said"], os.O_WRONLY)
            for number in (1, 2):  # What the program is told and tells is its own.
                os.dup2(said, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            main(asked["arguments"])
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _main()
