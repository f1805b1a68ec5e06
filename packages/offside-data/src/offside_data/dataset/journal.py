"""Change a dataset folder in place, so that a kill at any moment loses nothing.

`.offside/` inside the folder is our working area; releases, exports and uploads leave it out. A command that
changes a dataset writes the new files into `.offside/staged/` first. Then a journal, written whole or not at all,
lists what is to be moved and what is to go. Whoever opens the folder next finishes a journal that was left
behind. Files that aren't ours (a `.git`, a person's notes) stay where they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from offside_data.errors import DatasetError
from offside_data.files import write_json
from offside_data.parsing import parse_json

WORK_FOLDER = ".offside"
"""Our working area in a dataset folder; never released."""
OWNED_PARQUET = ("data/*/*.parquet", "tables/*.parquet")
"""Files that a rewritten dataset may leave over: other shards, a split that is gone."""

_STAGED = "staged"
_JOURNAL = "commit.json"


def work_folder(folder: Path, *names: str) -> Path:
    """A place in the working area of a dataset folder, e.g. `work_folder(dataset, "undo")`; it may not exist."""
    return folder.joinpath(WORK_FOLDER, *names)


@contextlib.contextmanager
def replaced_content(folder: Path, *, owned: Sequence[str] = OWNED_PARQUET) -> Iterator[Path]:
    """Give an empty folder for the new content of the dataset `folder`; put it in place when the block ends well.

    Everything that the block wrote replaces the file of the same name; Parquet files of ours that it didn't
    write are deleted; all other files stay.

    Args:
        folder: The dataset folder.
        owned: Patterns of the files that are deleted unless the block writes them.

    Raises:
        DatasetError: If `folder` can't be written to.
    """
    finish_replacement(folder)
    staged = work_folder(folder, _STAGED)
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
    except OSError as error:
        raise DatasetError(f"{folder}: can't be changed: {error.strerror}.") from error
    try:
        yield staged
        moved = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file())
        found = {path for pattern in owned for path in folder.glob(pattern) if path.is_file()}
        left = {path.relative_to(folder).as_posix() for path in found if not path.is_relative_to(staged)}
        write_json(work_folder(folder, _JOURNAL), {"move": moved, "delete": sorted(left - set(moved))})
    except BaseException:
        if not work_folder(folder, _JOURNAL).exists():  # Else an interruption came late: what it lists is needed.
            shutil.rmtree(staged, ignore_errors=True)
        raise
    finish_replacement(folder)


def finish_replacement(folder: Path) -> None:
    """Carry out a journal that an interrupted command left in a dataset folder; nothing if there is none.

    Raises:
        DatasetError: If the journal is damaged, names files outside the folder, or the folder can't be written to.
    """
    journal, staged = work_folder(folder, _JOURNAL), work_folder(folder, _STAGED)
    if not journal.is_file():
        return
    try:
        plan = parse_json(journal.read_text(encoding="utf-8"))
        moved, deleted = list(plan["move"]), list(plan["delete"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{journal}: an interrupted change can't be read back: {error}.") from error
    for name in (*moved, *deleted):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise DatasetError(f"{journal}: {name!r} lies outside the dataset; look into the journal, then delete it.")
    try:
        for name in moved:
            if (staged / name).exists():  # Else it was moved before the interruption.
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged / name, folder / name)
        for name in deleted:
            (folder / name).unlink(missing_ok=True)
        journal.unlink()
    except OSError as error:
        raise DatasetError(f"{folder}: an interrupted change can't be finished: {error}.") from error
    shutil.rmtree(staged, ignore_errors=True)
