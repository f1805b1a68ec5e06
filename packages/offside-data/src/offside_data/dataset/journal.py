"""Change a folder in place, by one writer at a time and so that a kill at any moment loses nothing.

`.offside/` inside the folder is our working area; releases, exports and uploads leave it out. A command that
changes a folder holds its lock (`dataset.lock`) from its first read on, and writes the new files into
`.offside/staged/`. Once they are safe on the disk, a journal, written whole or not at all, lists what is to be moved
and what is to go. Whoever opens the folder next finishes a journal that was left behind, before anything is read.
Files that aren't ours (a `.git`, a person's notes) stay where they are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from offside_data.dataset.lock import LOCK_FILES, held
from offside_data.errors import DatasetError, FolderInUseError
from offside_data.files import sync, write_json
from offside_data.parsing import parse_json
from offside_data.reading import read_small

WORK_FOLDER = ".offside"
"""Our working area in a dataset folder; never released."""

_STAGED = "staged"
_SCRATCH = "scratch"
_JOURNAL = "commit.json"
_LINKED = (WORK_FOLDER, "data", "data/*", "tables")
"""What must lie on the disk of the folder itself, or else nothing could be moved into it at once."""
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_MOVING_SECONDS = 10.0
"""How long a reader waits for a change that is being put in place: it is a few moves."""

Owned = Callable[[Path], Iterable[str]]
"""The files of a folder that go unless they are written anew, as they are named in it."""


def work_folder(folder: Path, *names: str) -> Path:
    """A place in the working area of a dataset folder, e.g. `work_folder(dataset, "undo")`; it may not exist."""
    return folder.joinpath(WORK_FOLDER, *names)


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for a block that reads and changes it; what a kill left is put right before.

    Raises:
        FolderInUseError: If another process changes it.
        DatasetError: If it can't be changed, or a change that was interrupted can't be finished.
    """
    _require_not_kept(folder)
    _require_one_disk(folder)
    with held(folder, work_folder(folder)) as first:
        _carry_out(folder)
        if first:
            _clear_up(folder)
        yield


def is_passing(name: str) -> bool:
    """Whether something of this name in a working area is only of a change that is under way, or was killed."""
    return name in (_STAGED, _SCRATCH, _JOURNAL, *LOCK_FILES) or name.startswith(f".{_JOURNAL}.")


def _clear_up(folder: Path) -> None:
    """Delete what a command left that was killed before its journal was written."""
    for name in filter(is_passing, os.listdir(work_folder(folder))):
        if name in (_STAGED, _SCRATCH):
            shutil.rmtree(work_folder(folder, name), ignore_errors=True)
        elif name not in LOCK_FILES:
            work_folder(folder, name).unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder inside one that is being changed; it goes in the end, however that comes."""
    scratch = work_folder(folder, _SCRATCH)
    try:
        scratch.mkdir()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def replaced_content(folder: Path, owned: Owned) -> Iterator[Path]:
    """Give an empty folder for new content of `folder`; put it in place when the block ends well.

    Everything that the block wrote replaces the file of the same name; files of ours that it didn't write are
    deleted; all other files stay.

    Args:
        folder: The folder.
        owned: Which files are ours, looked up when the block has ended.

    Raises:
        FolderInUseError: If another process changes it.
        DatasetError: If `folder` can't be written to, or has something in the way.
    """
    with changing(folder):
        staged = work_folder(folder, _STAGED)
        try:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir()
        except OSError as error:
            raise DatasetError(f"{folder}: can't be changed: {error.strerror}.") from error
        try:
            yield staged
            written = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if not path.is_dir()}
            gone = sorted(name for name in set(owned(folder)) - written if not _is_folder(folder / name))
            _require_inside(folder, gone)
            plan = {"move": list(_moves(staged, folder)), "delete": gone}
            sync(staged)
            sync(staged.parent, folder, deep=False)
            write_json(work_folder(folder, _JOURNAL), plan, durable=True)
        except BaseException as error:
            if work_folder(folder, _JOURNAL).exists():
                raise  # It came late: what the journal lists is needed.
            shutil.rmtree(staged, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in _DISK:
                raise DatasetError(f"{folder}: can't be changed: {os.strerror(error.errno)}. Nothing was.") from error
            raise
        _carry_out(folder)


def _moves(staged: Path, folder: Path, at: str = "") -> Iterator[str]:
    """What is to be moved, a folder as a whole where there is none of its name.

    Raises:
        DatasetError: If something is in the way.
    """
    disk = staged.stat().st_dev
    for entry in sorted(os.scandir(staged / at), key=lambda entry: (entry.is_file(), entry.name)):
        name, target = f"{at}{entry.name}", folder / at / entry.name
        if entry.is_dir() and target.is_dir():
            if target.stat().st_dev != disk or target.is_symlink():
                raise DatasetError(_elsewhere(folder, target))
            yield from _moves(staged, folder, f"{name}/")
        elif os.path.lexists(target) and (entry.is_dir() or target.is_dir()):
            raise DatasetError(f"{target} is in the way. Move it elsewhere, then run the command again.")
        else:
            yield name


def _is_folder(path: Path) -> bool:
    """Whether a folder stands where we wrote a file: then it isn't ours, and couldn't be deleted as one."""
    return path.is_dir() and not path.is_symlink()


def _require_inside(folder: Path, names: Iterable[str]) -> None:
    """Refuse to delete what a link would lead to.

    Raises:
        DatasetError: Naming it.
    """
    home = os.path.realpath(folder)
    for parent in sorted({(folder / name).parent for name in names}):
        if not Path(os.path.realpath(parent)).is_relative_to(home):
            raise DatasetError(_elsewhere(folder, parent))


def _require_not_kept(folder: Path) -> None:
    """Refuse what never changes: a release in a dataset's working area, a published one in the cache of the Hub.

    Raises:
        DatasetError: If the folder lies in one.
    """
    if folder.parent.name == "snapshots" and (folder.parent.parent / "blobs").is_dir():
        raise DatasetError(
            f"{folder} lies in the cache of the Hub, and what was published never changes. Put it into a folder of "
            "your own with `offside-data fetch`, and change that."
        )
    home = _home(folder)
    if home is not folder and (home / "README.md").is_file():
        raise DatasetError(
            f"{folder} is kept by the dataset {home}, and what was released never changes. Copy it to another place, "
            "and change the copy."
        )


def _require_one_disk(folder: Path) -> None:
    """Refuse a folder of which a part lies elsewhere, before anything is written.

    Raises:
        DatasetError: Naming the part.
    """
    for part in (path for pattern in _LINKED for path in folder.glob(pattern)):
        if part.is_dir() and (part.is_symlink() or part.stat().st_dev != folder.stat().st_dev):
            raise DatasetError(_elsewhere(folder, part))


def _elsewhere(folder: Path, part: Path) -> str:
    return (
        f"{part} lies in another place than {folder}, so a change couldn't appear at once. Move the whole folder to "
        f"where there is room, and make {folder.name or folder} a link to it."
    )


# ---------------------------------------------------------------------------------------------
# What was left, and what is on its way


def finish_replacement(folder: Path) -> None:
    """Carry out a journal that an interrupted command left in a folder; wait for one that is being carried out.

    Raises:
        FolderInUseError: If whoever carries it out doesn't come to an end.
        DatasetError: If the journal is damaged, names files outside the folder, or the folder can't be written to.
    """
    home, until = _home(folder), time.monotonic() + _MOVING_SECONDS
    while os.path.lexists(work_folder(home, _JOURNAL)):
        if not os.access(work_folder(home), os.W_OK):
            raise DatasetError(
                f"{home}: a change of it isn't finished, and nothing may be written here. Open it once, with "
                "`offside-data show` for example, where it may be written to."
            )
        try:
            with changing(home):
                return
        except FolderInUseError:
            if time.monotonic() > until:
                raise


def state_of(folder: Path) -> tuple[int, ...] | None:
    """What tells that a dataset folder was changed in between: every change writes its card anew.

    Returns:
        Null while a change is being put in place, or where there is no card.
    """
    try:
        card = (folder / "README.md").stat()
    except OSError:
        return None
    state = card.st_dev, card.st_ino, card.st_mtime_ns, card.st_size
    return None if work_folder(_home(folder), _JOURNAL).is_file() else state


def _home(folder: Path) -> Path:
    """The folder whose journal a folder is changed by: that of a release is the dataset's."""
    place = Path(os.path.realpath(folder))
    work = [parent for parent in place.parents if parent.name == WORK_FOLDER]
    return work[-1].parent if work else folder


def _carry_out(folder: Path) -> None:
    """Carry out the journal of a folder, if there is one.

    Raises:
        DatasetError: As `finish_replacement`.
    """
    journal, staged = work_folder(folder, _JOURNAL), work_folder(folder, _STAGED)
    if not os.path.lexists(journal):
        return
    moved, deleted = _plan(journal)
    for name in (*moved, *deleted):
        if not stays_inside(name):
            raise DatasetError(f"{journal}: {name!r} lies outside the dataset; look into the journal, then delete it.")
    try:
        for name in moved:
            if os.path.lexists(staged / name):  # Else it was moved before the interruption.
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged / name, folder / name)
        for name in deleted:
            (folder / name).unlink(missing_ok=True)
        for emptied in sorted({parent for name in deleted for parent in _parents(name)}, reverse=True):
            with contextlib.suppress(OSError):  # Something is still in it.
                (folder / emptied).rmdir()
        touched = {parent for name in (*moved, *deleted) for parent in _parents(name)}
        sync(*(folder / name for name in sorted(touched)), folder, deep=False)
        journal.unlink()
        sync(journal.parent, deep=False)
    except OSError as error:
        raise DatasetError(f"{folder}: an interrupted change can't be finished: {error}.") from error
    shutil.rmtree(staged, ignore_errors=True)


def _plan(journal: Path) -> tuple[list[str], list[str]]:
    """What is to be moved, and what is to go.

    Raises:
        DatasetError: If the journal isn't one.
    """
    try:
        plan = parse_json(read_small(journal, error=DatasetError))
        moved, deleted = plan["move"], plan["delete"]
        if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in plan.values()):
            raise TypeError("`move` and `delete` must be lists of names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{journal}: an interrupted change can't be read back: {str(error).rstrip('.')}. If you know that none "
            f"was under way, delete {journal.parent}."
        ) from error
    return moved, deleted


def stays_inside(name: str) -> bool:
    """Whether a relative name stays in the folder that it is looked up in."""
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in name


def _parents(name: str) -> list[str]:
    """The folders that a file lies in, as they are named in the folder."""
    return [str(parent) for parent in PurePosixPath(name).parents][:-1]
