"""What was released, kept in `.offside/releases/<version>/` of a dataset folder, so that the next release has a parent.

A snapshot is a dataset folder of its own. Its Parquet files are hard links to the released ones where the disk can do
that: commands replace them and never write into them, so a link keeps what was released at no cost. Texts, which people
edit, are copied. `release.json` beside them says under which digest it was released, and what takedowns took out since.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offside_data.dataset.journal import work_folder
from offside_data.dataset.versions import parse_version
from offside_data.errors import DatasetError
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.reading import read_small

RELEASES = "releases"
FACTS_FILE = "release.json"
"""What is known of a release besides what the dataset says."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A release as it is kept.

    Args:
        folder: A dataset folder.
        version: Its version.
        digest: Under which it was released. After a takedown the folder's own digest is another.
        removed: How many subjects, records and pictures takedowns took out of it since.
    """

    folder: Path
    version: str
    digest: str
    removed: Mapping[str, int] = field(default_factory=dict)

    def save_facts(self, folder: Path) -> None:
        """Write what isn't in the dataset itself into `folder`."""
        facts = {"version": self.version, "digest": self.digest, "removed": dict(self.removed)}
        write_json(folder / FACTS_FILE, facts)


def snapshot_folder(dataset: Path, version: str) -> Path:
    """Where the snapshot of a version is kept, or would be."""
    return work_folder(dataset, RELEASES, version)


def find_snapshot(dataset: Path, version: str) -> Snapshot | None:
    """The snapshot of a version; null if there is none.

    Raises:
        DatasetError: If its facts can't be read.
    """
    folder = snapshot_folder(dataset, version)
    if not folder.is_dir():
        return None
    try:
        facts = parse_json(read_small(folder / FACTS_FILE))
        return Snapshot(folder, str(facts["version"]), str(facts["digest"]), dict(facts["removed"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{folder / FACTS_FILE}: can't be read: {error}. Restore it, or delete the folder."
        ) from error


def all_snapshots(dataset: Path) -> list[Snapshot]:
    """The snapshots of a dataset, the oldest version first.

    Raises:
        DatasetError: As `find_snapshot`.
    """
    folder = work_folder(dataset, RELEASES)
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    found = [snapshot for name in names if (snapshot := find_snapshot(dataset, name)) is not None]
    return sorted(found, key=lambda snapshot: parse_version(snapshot.version))


def keep(dataset: Path, version: str, digest: str) -> Snapshot:
    """Make the snapshot of what a dataset folder holds, inside it; hidden files and folders aren't part of it."""
    snapshot = Snapshot(snapshot_folder(dataset, version), version, digest)
    for path in sorted(dataset.rglob("*")):
        name = path.relative_to(dataset)
        if path.is_file() and not name.parts[0].startswith("."):
            (snapshot.folder / name).parent.mkdir(parents=True, exist_ok=True)
            _link(path, snapshot.folder / name)
    snapshot.save_facts(snapshot.folder)
    return snapshot


def _link(source: Path, target: Path) -> None:
    if source.suffix == ".parquet":
        with contextlib.suppress(OSError):  # A disk without links.
            os.link(os.path.realpath(source), target)
            return
    shutil.copy2(source, target)
