"""One writer at a time: a lock that a process holds on a folder while it changes what is in it.

The system takes the lock back when its process ends, however it ends, so nobody has to clear away a stale one. The
file of the lock goes with the lock; it is never part of what the folder holds.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.errors import DatasetError, FolderInUseError
from offside_data.progress import log
from offside_data.reading import read_small

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_FILES = ("lock", "lock.json")
"""The lock, and who holds it: names in the folder's working area."""

_GRACE = 0.5
"""Seconds in which whoever is just letting go may be done."""
_POLL = 0.05
_patient: ContextVar[bool] = ContextVar("patient", default=False)


class _Held(threading.local):
    """The folders that this thread holds."""

    def __init__(self) -> None:
        self.folders: set[str] = set()


_held = _Held()


@contextlib.contextmanager
def waiting(wait: bool = True) -> Iterator[None]:
    """Wait for locks that others hold, in this block; otherwise a held lock is an error."""
    token = _patient.set(wait)
    try:
        yield
    finally:
        _patient.reset(token)


@contextlib.contextmanager
def held(folder: Path, place: Path) -> Iterator[bool]:
    """Hold the lock of a folder. Whoever holds it already goes on.

    Args:
        folder: The folder that is to be changed.
        place: Where its lock is kept; made if it isn't there, and taken away again if nothing else is in it.

    Yields:
        Whether it was taken now, rather than held before.

    Raises:
        FolderInUseError: If another process or thread holds it; in `waiting()`, that is waited for.
        DatasetError: If the folder can't be written to.
    """
    name = os.path.realpath(folder)
    if name in _held.folders:
        yield False
        return
    lock = _taken(folder, place)
    _held.folders.add(name)
    try:
        _say_who(place)
        yield True
    finally:
        _held.folders.discard(name)
        _let_go(lock, place)


def _taken(folder: Path, place: Path) -> BaseFileLock:
    from filelock import FileLock, Timeout

    patience = _GRACE
    while True:
        try:
            place.mkdir(exist_ok=True)
            lock = FileLock(place / LOCK_FILES[0], timeout=patience)
            lock.acquire(poll_interval=_POLL)
        except Timeout as error:
            if not _patient.get():
                raise FolderInUseError(
                    f"{folder} is in use by {_holder(place)}. Wait with --wait, or run the command again later."
                ) from error
            log(f"{folder} is in use by {_holder(place)}; waiting.")
            patience = -1
        except OSError as error:
            if _went_away(error, place) and folder.is_dir():
                continue  # Whoever let go took the empty working area along.
            raise DatasetError(f"{folder}: can't be changed: {error.strerror}.") from error
        else:
            return lock


def _went_away(error: OSError, place: Path) -> bool:
    """Whether the working area went between two looks at it, rather than that something else is in its place."""
    if isinstance(error, FileExistsError):  # `mkdir` found it, and it was gone when it looked what it is.
        return place.is_dir() or not os.path.lexists(place)
    return isinstance(error, FileNotFoundError)


def _let_go(lock: BaseFileLock, place: Path) -> None:
    """The file goes while the lock is held: whoever opened it meanwhile finds that it has no name, and asks anew."""
    for name in reversed(LOCK_FILES):
        with contextlib.suppress(OSError):
            (place / name).unlink()
    lock.release()
    with contextlib.suppress(OSError):  # Something else is in it, or the next one has come.
        place.rmdir()


def _say_who(place: Path) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    told = {"process": os.getpid(), "machine": _machine(), "since": now}
    with contextlib.suppress(OSError):  # For messages only.
        (place / LOCK_FILES[1]).write_text(json.dumps(told), encoding="utf-8")


def _holder(place: Path) -> str:
    try:
        told = json.loads(read_small(place / LOCK_FILES[1]))
        where = "" if told["machine"] == _machine() else " of another machine"
        return f"process {told['process']}{where} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # It took the lock this moment.
        return "another process"


def _machine() -> str:
    """Tells machines apart without naming them: a name may be a person's."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]
