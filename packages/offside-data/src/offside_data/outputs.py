"""Output folders: taken by one command at a time, filled whole or not at all, and replaced only where they are ours.

A folder that a command filled holds a list of what was written, `.offside/written.json`. `--force` replaces what
stands in it and leaves everything else alone; a folder without such a list, with something in it, is never written to.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from offside_data.dataset.journal import WORK_FOLDER, changing, is_passing, replaced_content, stays_inside, work_folder
from offside_data.errors import OutputExistsError, UsageError
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.reading import read_small

_WRITTEN = "written.json"
_SHOWN = 3


def require_apart(out: Path, other: Path, what: str) -> None:
    """Refuse an output folder that lies in what a command reads, or holds it.

    Args:
        out: The output folder; it needn't exist.
        other: A file or folder that is read.
        what: What it is, for the message.

    Raises:
        UsageError: If they overlap.
    """
    if _inside(other, out) or (other.is_dir() and _inside(out, other)):
        raise UsageError(f"{out} overlaps the {what} {other}. Give a folder beside it, which holds nothing yet.")


def _inside(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it, whatever both are called."""
    if not folder.exists():
        return False
    place = Path(os.path.realpath(path))
    return any(parent.exists() and parent.samefile(folder) for parent in (place, *place.parents))


def ensure_free(folder: Path, *, force: bool = False) -> None:
    """Refuse to write into a folder that holds something.

    Args:
        folder: The folder; it needn't exist.
        force: Whether what an earlier command wrote may be replaced.

    Raises:
        OutputExistsError: If `folder` is a file, isn't ours, or is and `force` is off.
    """
    there = others_in(folder)
    if not there:
        return
    if not work_folder(folder, _WRITTEN).is_file():
        raise not_ours(folder, there, "what an earlier command wrote into a folder of its own")
    if not force:
        raise OutputExistsError(
            f"{folder} already holds something else. Choose another output folder, or pass --force to replace what "
            "an earlier command wrote there; your own files in it stay."
        )


def others_in(folder: Path) -> list[str]:
    """Names of what is in a folder, but for traces of a command that was killed before anything had appeared.

    Raises:
        OutputExistsError: If it is no folder.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; give a folder to write to.")
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    if (folder / WORK_FOLDER).is_dir():
        means_nothing = is_passing if written_files(folder) else lambda name: is_passing(name) or name == _WRITTEN
        if all(map(means_nothing, os.listdir(folder / WORK_FOLDER))):
            names.remove(WORK_FOLDER)
    return names


def ensure_replaceable(file: Path, begin: str) -> None:
    """Refuse to write a file where there is one that we didn't write.

    Args:
        file: The file; it needn't exist.
        begin: How those begin that we write.

    Raises:
        OutputExistsError: If it is something else.
    """
    if not os.path.lexists(file):
        return
    said = begin.encode()
    try:
        with file.open("rb") as stream:
            ours = stream.read(len(said)) == said
    except OSError:
        ours = False
    if not ours:
        raise OutputExistsError(f"{file} is there already, and nothing that this command wrote. Give another file.")


def not_ours(folder: Path, there: list[str], replaced: str) -> OutputExistsError:
    """The error for a folder that somebody else filled.

    Args:
        folder: The folder.
        there: What is in it.
        replaced: What `--force` does replace.
    """
    shown = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
    return OutputExistsError(
        f"{folder} already holds something else ({shown}), and nothing in it is ours to replace: --force replaces "
        f"only {replaced}. Choose another output folder."
    )


@contextlib.contextmanager
def taken_folder(folder: Path, require: Callable[[], None]) -> Iterator[None]:
    """Hold an output folder for a block that fills it; made if it isn't there, and gone again if it stays empty.

    Args:
        folder: The folder.
        require: Raises if it may not be taken. Called before the folder is touched, and when nobody else can.

    Raises:
        UsageError: If it can't be made.
        FolderInUseError: If another process fills or changes it.
        DatasetError: If it can't be written to.
    """
    if not work_folder(folder).exists():  # Else what a kill left comes first.
        require()
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}. Give another output folder.") from error
    try:
        with changing(folder):
            require()
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # There is something in it.
                folder.rmdir()


@contextlib.contextmanager
def whole_folder(folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Give an empty folder; what the block writes into it appears in `folder` when the block ends well.

    Args:
        folder: The output folder.
        force: Replace what an earlier call wrote there.

    Raises:
        OutputExistsError: As `ensure_free`; also if a file of the block's would replace somebody else's.
        FolderInUseError: If another process fills it.
    """
    with (
        taken_folder(folder, lambda: ensure_free(folder, force=force)),
        replaced_content(folder, written_files) as staged,
    ):
        yield staged
        files = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if not path.is_dir())
        theirs = [name for name in set(files) - set(written_files(folder)) if os.path.lexists(folder / name)]
        if theirs:
            raise not_ours(folder, sorted(theirs), "what an earlier command wrote into a folder of its own")
        write_json(work_folder(staged, _WRITTEN), files)


def written_files(folder: Path) -> list[str]:
    """The files that an earlier call wrote into a folder, as far as they are there.

    The list is a text that anybody may have edited: it gives no right to anything outside the folder or in its working
    area, nor to a folder.
    """
    try:
        files = parse_json(read_small(work_folder(folder, _WRITTEN)))
    except (OSError, ValueError):
        return []  # Then nothing is replaced.
    names = [name for name in files if isinstance(name, str)] if isinstance(files, list) else []
    return [name for name in names if _may_be_ours(folder, name)]


def _may_be_ours(folder: Path, name: str) -> bool:
    path = folder / name
    inside = stays_inside(name) and Path(name).parts[0] != WORK_FOLDER
    return inside and os.path.lexists(path) and (path.is_symlink() or not path.is_dir())
