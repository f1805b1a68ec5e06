"""Does the dataset fit its history: the releases that are kept, the parent that the card names, the changelog."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.card import read_identity
from offside_data.dataset.writer import CHANGELOG_FILE
from offside_data.errors import CardError, DatasetError
from offside_data.issues import Issue
from offside_data.reading import read_small
from offside_data.release.snapshots import all_snapshots


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the card with the kept releases and with the changelog."""
    dataset = checked.dataset
    try:
        kept = {snapshot.version: snapshot for snapshot in all_snapshots(dataset.path)}
    except DatasetError as error:
        yield Issue("error", "release-unreadable", ".offside/releases", str(error))
        return
    own = kept.get(dataset.version)
    if own is not None and not any(own.removed.values()) and own.digest != dataset.digest:
        message = f"changed since {own.version} was released ({own.digest[:19]}…); release it under a new number."
        yield Issue("info", "unreleased-changes", "offside.version", message)
    parent = dataset.card.block.parent
    if parent is not None and parent.version in kept and kept[parent.version].digest != parent.digest:
        message = (
            f"the card says that {parent.version} had {parent.digest}, but it was released with "
            f"{kept[parent.version].digest}. Correct the card."
        )
        yield Issue("error", "parent-mismatch", "offside.parent", message)
    for version, snapshot in kept.items():
        try:
            stated = read_identity(snapshot.folder)
        except CardError as error:
            yield Issue("error", "release-unreadable", str(snapshot.folder), str(error))
            continue
        if stated.version != version or (not any(snapshot.removed.values()) and stated.digest != snapshot.digest):
            message = f"the kept release {version} isn't what was released; a released version never changes."
            yield Issue("error", "release-changed", str(snapshot.folder), message)
    path = dataset.path / CHANGELOG_FILE
    if not path.is_file() or dataset.version not in read_small(path, error=DatasetError, errors="replace"):
        message = f"has no entry for version {dataset.version}. `offside-data release` writes them."
        yield Issue("warning", "changelog-incomplete", CHANGELOG_FILE, message)
