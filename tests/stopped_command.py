"""A program for `test_nothing_lost.py`: it runs a command of `offside-data` that stops itself at its worst moment.

    python tests/stopped_command.py MOMENT COMMAND...     # MOMENT: journal (just before it), or moves (amid them)

It stops as SIGSTOP stops it, so it holds what it holds until somebody sends SIGCONT.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from offside_data.cli import main
from offside_data.dataset import journal

_REPLACE, _WRITE = os.replace, journal.write_json
_STAGED = ".offside/staged"


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _write_journal(*arguments: Any, **options: Any) -> None:
    _stop()
    _WRITE(*arguments, **options)


def _replace(source: Any, target: Any) -> None:
    _REPLACE(source, target)
    if _STAGED in os.fspath(source) and _STAGED not in os.fspath(target):  # Else it writes what will be moved.
        _stop()
        os.replace = _REPLACE  # Once is enough.


if __name__ == "__main__":
    moment, *command = sys.argv[1:]
    if moment == "journal":
        journal.write_json = _write_journal
    else:
        os.replace = _replace
    main(command)
