"""What of a dataset folder is ours: what a change may delete, what a new dataset replaces, and what outlives both.

Tombstones and releases outlive every `--force`: who was taken down stays out, and what was released stays so.
"""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from offside_data.dataset.card import read_identity
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.journal import WORK_FOLDER, is_passing, work_folder
from offside_data.dataset.storage import TABLES, Row
from offside_data.dataset.writer import TEXT_FILES
from offside_data.errors import CardError, OutputExistsError
from offside_data.outputs import not_ours, others_in
from offside_data.release.croissant import CROISSANT_FILE
from offside_data.release.snapshots import RELEASES, all_snapshots
from offside_data.schema import CONFIGS, SPLITS
from offside_data.takedown.tombstones import KIND as TAKEDOWN
from offside_data.takedown.tombstones import PROOFS

ANNOTATION = "annotation"
"""Of the working area, what annotating needs: who the annotators are, what was pulled."""
_REPLACED = "replaced"
_SHARD = re.compile(rf"(?:{'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")


def dataset_files(folder: Path) -> Iterator[str]:
    """The Parquet files of a dataset that are ours, by the names that we give them."""
    for config in CONFIGS:
        for path in (folder / "data" / config).glob("*.parquet"):
            if _SHARD.fullmatch(path.name):
                yield path.relative_to(folder).as_posix()
    for table in TABLES:
        if (folder / "tables" / f"{table}.parquet").is_file():
            yield f"tables/{table}.parquet"


def work_files(folder: Path) -> Iterator[str]:
    """The files of the working area, but for those of the change that is under way."""
    for path in work_folder(folder).rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not is_passing(name.parts[1]):
            yield name.as_posix()


def dataset_and_work_files(folder: Path) -> Iterator[str]:
    """Both."""
    yield from dataset_files(folder)
    yield from work_files(folder)


def replaced_files(folder: Path) -> Iterator[str]:
    """What a new dataset replaces: all that is ours but releases, proofs, annotators' keys and texts kept before."""
    kept = tuple(f"{WORK_FOLDER}/{name}/" for name in (RELEASES, PROOFS, ANNOTATION, _REPLACED))
    yield from (name for name in dataset_and_work_files(folder) if not name.startswith(kept))
    if (folder / CROISSANT_FILE).is_file():
        yield CROISSANT_FILE


def keep_texts(folder: Path, staged: Path, also: Iterable[str] = ()) -> None:
    """Keep the texts that a new dataset replaces in its working area: people write into them, too.

    Args:
        folder: The folder whose texts are replaced.
        staged: What comes there.
        also: Names of further files that are replaced.
    """
    when = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%f")
    for name in {*TEXT_FILES, *also}:
        if (folder / name).is_file():
            kept = work_folder(staged, _REPLACED, when, name)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, kept)


def tombstones_in(folder: Path) -> list[Row]:
    """The decisions of a folder that a new dataset in it must keep.

    Raises:
        DatasetError: If they can't be read.
    """
    return [decision for decision in read_decisions(folder) if decision["kind"] == TAKEDOWN]


def ensure_place(folder: Path, *, name: str, force: bool) -> None:
    """Refuse a folder that a new dataset can't be written to.

    Args:
        folder: The folder; it needn't exist.
        name: What the dataset will be called.
        force: Whether a dataset that is there may be replaced.

    Raises:
        OutputExistsError: If `folder` is a file, holds something that is no dataset of ours, or a dataset and `force`
            is off, or releases of a dataset of another name.
    """
    there = others_in(folder)
    if not there:
        return
    try:
        card = read_identity(folder)
    except CardError as error:
        raise not_ours(folder, there, "a dataset") from error
    if not force:
        raise OutputExistsError(
            f"{folder} already holds something else: the dataset {card.name} {card.version}. Choose another output "
            "folder, or pass --force to replace that dataset; your own files in the folder stay."
        )
    for snapshot in all_snapshots(folder):
        other = read_identity(snapshot.folder).name
        if other != name:
            raise OutputExistsError(
                f"{folder} keeps what was released of the dataset {other} ({snapshot.version}), so it can't become "
                f"the dataset {name}. Name it {other} (ingest --name), or choose another output folder."
            )
