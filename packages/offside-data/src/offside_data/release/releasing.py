"""Release a dataset folder: checked, stripped of picture metadata, numbered by the rules, told in the changelog.

Everything is written aside first and put in place at once, the snapshot in `.offside/releases/` included. Killed at
any moment and run again, a release ends with the same digest, one entry in the changelog and one snapshot.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.check import check_dataset
from offside_data.dataset.access import changes
from offside_data.dataset.card import Card, read_identity
from offside_data.dataset.card_block import ParentRelease
from offside_data.dataset.digest import dataset_digest, frame_root, taxonomy_digest
from offside_data.dataset.folder import OffsideDataset, folder_of, open_dataset
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.storage import TABLES, stray_files
from offside_data.dataset.transaction import NothingToDo, Transaction, transaction_of
from offside_data.dataset.versions import Version, parse_version
from offside_data.dataset.writer import CHANGELOG_FILE
from offside_data.errors import ReleaseError, UsageError, listed
from offside_data.files import write_text
from offside_data.reading import read_small
from offside_data.release import changelog, snapshots
from offside_data.release.diff import Change, Differences, FieldChange, Kind, Leaves, shared_parts
from offside_data.release.migration import migrate
from offside_data.release.rules import Level, bumped, require_bump, required
from offside_data.release.snapshots import Snapshot, find_snapshot
from offside_data.release.stripping import strip_pictures
from offside_data.schema import SCHEMA_VERSION
from offside_data.takedown.tombstones import read_tombstones

if TYPE_CHECKING:
    import polars as pl

FIRST = Version("1.0.0")
"""Version of a first release, whatever the working version was."""
_WRITTEN_ANEW = ("croissant-unreadable",)
"""Codes of errors that a release puts right itself."""


@dataclass(frozen=True, kw_only=True)
class ReleaseReport:
    """What was released.

    Args:
        version: Its version.
        digest: Its digest.
        parent: The version that it was made from; null for a first release.
        new: Whether something was released; otherwise nothing differs from what was.
        needed: The smallest bump that the changes allow; null for a first release, or without changes.
        changes: What differs from the parent, counted as `Differences.sorts` does; of a first release, all in it.
        stripped: How many pictures lost metadata.
    """

    version: str
    digest: str
    parent: str | None
    new: bool
    needed: str | None
    changes: tuple[Change, ...]
    stripped: int


@dataclass(frozen=True)
class _Parent:
    version: Version
    digest: str
    home: Path
    dataset: OffsideDataset
    extra: tuple[Change, ...]  # What a comparison of the data can't show: another schema, takedowns.


@changes()
def make_release(
    folder: str | Path,
    *,
    bump: str | Level,
    note: str,
    parent: str | Path | None = None,
    keep_metadata: bool = False,
) -> ReleaseReport:
    """Release a dataset folder under the next version number.

    The parent is the release that the card's version names, as kept in the folder. A first release is 1.0.0.

    Args:
        folder: The dataset folder; changed in place, as a whole or not at all.
        bump: `major`, `minor` or `patch`; larger than needed is allowed.
        note: What the curator says of this release, for the changelog.
        parent: The dataset that this one was made from, where the folder doesn't know it (it was fetched).
        keep_metadata: Leave EXIF, GPS positions and comments in the pictures.

    Returns:
        What was released; run again on the same content it says so, and nothing is written.

    Raises:
        ReleaseError: If `check` finds errors, a stray file would be published, the bump is too small, the number is
            taken, or the parent unknown.
        UsageError: If there is no such bump, or `note` is empty or names somebody who was taken down.
    """
    level = Level.parse(bump) if isinstance(bump, str) else bump
    dataset = open_dataset(folder)
    _require_note(note, dataset.path)
    _require_no_strays(dataset.path)
    _require_checked(dataset)
    change = transaction_of(dataset)
    stripped = 0 if keep_metadata else strip_pictures(change)
    with _parent_of(dataset.path, dataset.card, parent) as found:
        try:
            with replaced_content(dataset.path, dataset_files) as staged:
                changes, digest = _stage(staged, change, found, level, note)
        except NothingToDo:
            assert found is not None
            earlier = dataset.card.block.parent
            return ReleaseReport(
                version=str(found.version),
                digest=found.digest,
                parent=earlier.version if earlier else None,
                new=False,
                needed=None,
                changes=(),
                stripped=0,
            )
    return ReleaseReport(
        version=change.card.version,
        digest=digest,
        parent=None if found is None else str(found.version),
        new=True,
        needed=None if found is None else str(required(changes)),
        changes=tuple(changes),
        stripped=stripped,
    )


def _stage(
    staged: Path, change: Transaction, parent: _Parent | None, level: Level, note: str
) -> tuple[list[Change], str]:
    """Write the release into `staged`, its snapshot included.

    Returns:
        What differs from the parent, counted; the digest.

    Raises:
        ReleaseError: If the bump is too small or the number is taken.
    """
    version = FIRST if parent is None else bumped(parent.version, level)
    stated = ParentRelease(version=str(parent.version), digest=parent.digest) if parent else None
    change.card.block = replace(change.card.block, version=str(version), parent=stated)
    card = change.write_into(staged)
    changes = _changes(parent, OffsideDataset(staged, card), level)
    assert change.base is not None
    taken = find_snapshot(change.base.path, str(version))
    if taken is not None and taken.digest != card.digest:
        raise ReleaseError(
            f"{version} was released before with other content ({taken.digest[:19]}…), and a released version never "
            f"changes. Give a larger --bump, or go on from the newest release in {snapshots.RELEASES}/."
        )
    from offside_data.release.croissant import write_croissant

    earlier = None if parent is None else str(parent.version)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    entry = changelog.make_entry(str(version), today, note, changes, digest=card.digest, parent=earlier)
    write_text(staged / CHANGELOG_FILE, changelog.with_entry(change.changelog, entry))
    write_croissant(staged, card)
    if taken is None:
        snapshots.keep(staged, str(version), card.digest)
    return changes, card.digest


def _changes(parent: _Parent | None, after: OffsideDataset, level: Level) -> list[Change]:
    """What is released that the parent hasn't, or has in another way, counted.

    Raises:
        ReleaseError: If the parent isn't what was released, or the bump is too small.
        NothingToDo: If there is nothing.
    """
    if parent is None:
        numbers: dict[Kind, int] = {
            "record": sum(facts.records for facts in after.card.block.splits.values()),
            "subject": len(after.frame("subjects", ["subject_id"])),
            "image": len(after.frame("images", ["image_id"])),
        }
        return [Change(kind=kind, action="added", name=after.name, count=n) for kind, n in numbers.items() if n]
    shared = shared_parts(parent.dataset, after)
    before = {part: parent.dataset.leaves(part) for part in parent.dataset.parts() if part not in shared}
    _require_unedited(parent, before, {part: after.card.block.splits[part].digest for part in shared})
    differences = Differences(
        parent.dataset, after, (before, {part: _leaves(after, part) for part in after.parts() if part not in shared})
    )
    changes = [*parent.extra, *differences.sorts]
    if not changes:
        raise NothingToDo
    if (required(changes) or level) > level:
        require_bump(itertools.chain(parent.extra, differences), level, parent.version)
    return changes


def _leaves(dataset: OffsideDataset, part: str) -> pl.DataFrame:
    """The leaves of what was written or checked just now: those of records are stored with them."""
    if part in TABLES:
        return dataset.leaves(part)
    return dataset.frame(part, ["record_id", "content_hash"]).rename({"record_id": "name", "content_hash": "leaf"})


def _require_unedited(parent: _Parent, leaves: Leaves, others: Mapping[str, str]) -> None:
    """Make sure that a parent is what was released.

    Args:
        parent: The parent.
        leaves: Of its parts.
        others: Roots of the parts that aren't among them.

    Raises:
        ReleaseError: If its files aren't what its card says.
    """
    roots = {part: frame_root(rows["name"], rows["leaf"]) for part, rows in leaves.items()} | dict(others)
    dataset = parent.dataset
    digest = dataset_digest({**roots, "taxonomy": taxonomy_digest(dataset.taxonomy)})
    if digest != dataset.digest:
        raise ReleaseError(
            f"{parent.home}: release {parent.version} isn't what it was: its card says "
            f"{dataset.digest[:19]}…, its files {digest[:19]}…. Somebody edited a file in place. "
            "Fetch that release and name it with --parent."
        )


def _require_note(note: str, folder: Path) -> None:
    if not note.strip():
        raise UsageError("--note is empty: say for people what this release is about.")
    if read_tombstones(folder).names_in(note):
        raise UsageError("the note names somebody who was taken down; say it without the name.")


def _require_no_strays(folder: Path) -> None:
    """Refuse to publish what nobody looked at, whatever was waived; nor is a person's file to be cleared away.

    Raises:
        ReleaseError: Naming the first files.
    """
    strays = stray_files(folder)
    if strays:
        raise ReleaseError(
            f"{folder} can't be released: these files would be published with it, but are of no part of the dataset. "
            f"Move them out of the folder.\n{listed(strays)}"
        )


def _require_checked(dataset: OffsideDataset) -> None:
    """Let a dataset pass only without errors; that its files are what its card says is among what is checked.

    Raises:
        ReleaseError: Listing the first errors.
    """
    issues = check_dataset(dataset)
    errors = [issue for issue in issues if issue.severity == "error" and issue.code not in _WRITTEN_ANEW]
    if errors:
        shown = listed([f"{issue.code}: {issue.where}: {issue.message}" for issue in errors])
        raise ReleaseError(
            f"{dataset.path} can't be released, `offside-data check` finds {len(errors)} errors:\n{shown}\n"
            f"Correct them, or waive what may stay: `offside-data waive {dataset.path} CODE:PLACE --reason TEXT`."
        )


# ---------------------------------------------------------------------------------------------
# Parent


@contextlib.contextmanager
def _parent_of(folder: Path, card: Card, reference: str | Path | None) -> Iterator[_Parent | None]:
    """The release that a folder goes on from; null if it was never released.

    Raises:
        ReleaseError: If it was released, but the release isn't known here, or isn't what it was any more.
        UsageError: If `reference` is another dataset.
    """
    snapshot = find_snapshot(folder, card.version) if reference is None else _given(reference, card)
    if snapshot is None:
        _require_never_released(folder, card)
        yield None
        return
    with contextlib.ExitStack() as stack:
        home, extra = snapshot.folder, list(_takedowns(snapshot))
        schema = read_identity(home).schema_version
        if schema != SCHEMA_VERSION:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "parent"
            shutil.copytree(snapshot.folder, home)
            migrate(home)
            changed = FieldChange(field="schema_version", before=schema, after=SCHEMA_VERSION)
            extra.append(Change(kind="schema", action="changed", name=card.name, fields=(changed,)))
        version = parse_version(snapshot.version)
        yield _Parent(version, snapshot.digest, snapshot.folder, open_dataset(home), tuple(extra))


def _given(reference: str | Path, card: Card) -> Snapshot:
    path = folder_of(reference)
    parent = Card.load(path)
    if parent.name != card.name:
        raise UsageError(f"--parent {reference} is the dataset {parent.name!r}, not {card.name!r}.")
    return Snapshot(path, parent.version, parent.digest)


def _require_never_released(folder: Path, card: Card) -> None:
    path = folder / CHANGELOG_FILE
    told = changelog.released_versions(read_small(path, errors="replace")) if path.is_file() else []
    kept = [snapshot.version for snapshot in snapshots.all_snapshots(folder)]
    known = [*dict.fromkeys([*kept, *told, *([card.block.parent.version] if card.block.parent else [])])]
    if known:
        raise ReleaseError(
            f"{folder} says that it is version {card.version}, and that {', '.join(known)} "
            f"{'was' if len(known) == 1 else 'were'} released, but release {card.version} isn't kept here, so "
            "there is nothing to compare with. Name the release that it was made from with --parent FOLDER."
        )


def _takedowns(snapshot: Snapshot) -> Iterator[Change]:
    """What takedowns took out of a snapshot, and so out of every comparison with it."""
    removed = snapshot.removed
    if any(removed.values()):
        name = (
            f"{removed['subjects']:,} subject{'' if removed['subjects'] == 1 else 's'} with {removed['records']:,} "
            f"records and {removed['pictures']:,} pictures, taken down on request"
        )
        yield Change(kind="takedown", action="removed", name=name, count=removed["subjects"])
