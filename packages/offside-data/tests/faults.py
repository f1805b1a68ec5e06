"""Kill a call at its every step, as a power cut would: what it hadn't synced is empty afterwards.

The steps enumerate themselves: every change of a name on the disk, and every file that is opened to be written, is one.
The call runs once, and before each step what is on the disk then is copied: a kill there would leave the same, and to
run the call again for each would take as long as there are steps.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_RENAMING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")


def killed_at_every_step(
    tmp_path: Path, prepare: Callable[[Path], None], call: Callable[[Path], object]
) -> Iterator[Path]:
    """The folder of a call for each of its steps: as it is when the call is killed before that step.

    Args:
        tmp_path: Where the folder goes; it is the same one each time, made anew.
        prepare: Makes the folder that is given to it.
        call: Works in that folder. It runs in a fork of this process, which mustn't have threads at work.
    """
    folder, left = tmp_path / "work", tmp_path / "left"
    left.mkdir()
    prepare(folder)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _copy_before_every_step(folder, left)
            call(folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"the call failed with {code}"
    for state in sorted(left.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        state.rename(folder)
        yield folder


def _copy_before_every_step(folder: Path, left: Path) -> None:
    files = (path for path in folder.rglob("*") if path.is_file())
    safe = {path.stat().st_ino for path in files}
    steps = itertools.count()

    # Noted and not done: what isn't noted is lost, so the test needn't wait for the disk.
    def synced(descriptor: int) -> None:
        safe.add(os.fstat(descriptor).st_ino)

    def all_synced() -> None:
        safe.update(path.stat().st_ino for path in folder.rglob("*") if path.is_file())

    os.fsync, os.sync = synced, all_synced
    copying = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal copying
        if not copying and _is_step(event, arguments, folder):
            copying = True
            _copy(folder, left / f"{next(steps):04d}", safe)
            copying = False

    sys.addaudithook(watch)


def _copy(folder: Path, to: Path, safe: set[int]) -> None:
    """Copy a folder; files that aren't safe are empty in the copy, and names of one file are again names of one."""
    first: dict[int, Path] = {}
    to.mkdir()
    for path in sorted(folder.rglob("*")):  # A folder before what is in it.
        place, status = to / path.relative_to(folder), path.lstat()
        if path.is_symlink():
            place.symlink_to(path.readlink())
        elif path.is_dir():
            place.mkdir()
        elif status.st_ino in first:
            place.hardlink_to(first[status.st_ino])
        else:
            first[status.st_ino] = place
            place.write_bytes(path.read_bytes() if status.st_ino in safe else b"")
            shutil.copystat(path, place)


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
