"""Bring a dataset folder of an older schema version up to the one that this package reads and writes.

One step a version: `offside_data/release/migrations/v1_to_v2.py` defines `run(folder)`, which rewrites, in place, the
files of a private copy that `migrate` hands it; the card by `card.read_raw` and `write_raw`, for its block isn't of our
schema yet. `migrate` does the rest: chains steps, states the new version in the card, computes digests anew and puts
everything in place at once.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.access import changes
from offside_data.dataset.card import BLOCK, Card, read_identity, read_raw, write_raw
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, folder_of
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.transaction import transaction_of
from offside_data.errors import DatasetError
from offside_data.plugins import Registry
from offside_data.schema import SCHEMA_VERSION

STEPS = Registry(
    "offside_data.release.migrations",
    "migration step",
    needs={"run": Callable},
    contract="offside_data.release.migration",
)
_NAME = re.compile(r"v(\d+)_to_v(\d+)")


@dataclass(frozen=True, kw_only=True)
class MigrationReport:
    """From which schema version to which, by which steps; none if the dataset was up to date."""

    before: int
    after: int
    steps: tuple[str, ...]


@changes()
def migrate(folder: str | Path) -> MigrationReport:
    """Bring a dataset folder up to the current schema version.

    Args:
        folder: The dataset folder; changed in place, as a whole or not at all.

    Raises:
        DatasetError: If its schema version is newer than ours, or no step leads on from it.
        CardError: If it has no card, or a malformed one.
    """
    path = folder_of(folder)
    before = _schema_version(path)
    steps = _path_from(before, path)
    if not steps:
        return MigrationReport(before=before, after=before, steps=())
    with replaced_content(path, dataset_files) as staged:
        copy = staged / "before"
        copy.mkdir()
        for source in path.iterdir():
            if source.name in ("data", "tables"):
                shutil.copytree(source, copy / source.name)
            elif source.is_file() and source.suffix in (".md", ".yaml", ".json", ".jsonl"):
                shutil.copy2(source, copy)
        for step in steps:
            STEPS.load(step).run(copy)
        front, body = read_raw(copy)
        write_raw(copy, {**front, BLOCK: {**front[BLOCK], "schema_version": SCHEMA_VERSION}}, body)
        change = transaction_of(OffsideDataset(copy, Card.load(copy)))
        # What a step made of the files isn't what the card says of them.
        change.rewrite_records(lambda batches: batches)
        what = {"from": before, "to": SCHEMA_VERSION, "steps": steps}
        why = "the data model of this offside-data is a newer one"
        change.decide([make_decision("migrated", what, why, command="migrate")])
        change.write_into(staged)
        for other in copy.iterdir():
            if other.is_file() and not (staged / other.name).exists():
                other.rename(staged / other.name)
        shutil.rmtree(copy)
    return MigrationReport(before=before, after=SCHEMA_VERSION, steps=tuple(steps))


def _schema_version(folder: Path) -> int:
    found = read_identity(folder).schema_version
    if found > SCHEMA_VERSION:
        raise DatasetError(
            f"{folder}: schema_version {found} is newer than {SCHEMA_VERSION}, the newest that this offside-data "
            "knows. Install a newer offside-data."
        )
    return found


def _path_from(version: int, folder: Path) -> list[str]:
    """The steps from a schema version to ours, in order.

    Raises:
        DatasetError: If there is a gap.
    """
    known = {int(match[1]): match[0] for name in STEPS.names() if (match := _NAME.fullmatch(name))}
    missing = [number for number in range(version, SCHEMA_VERSION) if number not in known]
    if missing:
        raise DatasetError(
            f"{folder}: schema_version {version} is unknown: no step leads from {missing[0]} to {missing[0] + 1}. "
            f"Known steps: {', '.join(known.values()) or 'none, version 1 is the first'}."
        )
    return [known[number] for number in range(version, SCHEMA_VERSION)]
