"""Kill a call at its every step, as a power cut would: what it hadn't synced is empty afterwards.

The steps enumerate themselves: every change of a name on the disk, and every file that is opened to be written, is one.
A call that gets another step is killed there, too.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

KILLED = 137
_RENAMING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")


def killed_at_every_step(
    tmp_path: Path, prepare: Callable[[Path], None], call: Callable[[Path], object]
) -> Iterator[Path]:
    """A folder for each step of a call: as it is when the call is killed before that step.

    Args:
        tmp_path: Where the folders go.
        prepare: Makes the folder that is given to it, the same each time.
        call: Works in such a folder. It runs in a fork of this process, which mustn't have threads at work.
    """
    for number in itertools.count():
        folder = tmp_path / f"step-{number:03d}"
        prepare(folder)
        if not _killed(folder, call, number):
            return
        yield folder


def _killed(folder: Path, call: Callable[[Path], object], number: int) -> bool:
    """Whether a call had a step of this number, before which it was killed."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _kill_before(folder, number)
            call(folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), f"step {number}: the call failed with {code}"
    return code == KILLED


def _kill_before(folder: Path, number: int) -> None:
    files = (path for path in folder.rglob("*") if path.is_file())
    safe = {path.stat().st_ino for path in files}
    steps = itertools.count()

    # Noted and not done: what isn't noted is lost, so the test needn't wait for the disk.
    def synced(descriptor: int) -> None:
        safe.add(os.fstat(descriptor).st_ino)

    def all_synced() -> None:
        safe.update(path.stat().st_ino for path in folder.rglob("*") if path.is_file())

    os.fsync, os.sync = synced, all_synced
    ended = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal ended
        if not ended and _is_step(event, arguments, folder) and next(steps) == number:
            ended = True
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink() and path.stat().st_ino not in safe:
                    os.truncate(path, 0)
            os._exit(KILLED)

    sys.addaudithook(watch)


def _is_step(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    if event == "open":
        path, _, flags = arguments
        if not isinstance(path, str) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return False
    elif event in _RENAMING:
        path = arguments[0]
    else:
        return False
    name = os.fsdecode(path)  # Names in a folder that is open are relative.
    return not os.path.isabs(name) or Path(name).is_relative_to(folder)
