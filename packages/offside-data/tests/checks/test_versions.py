from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from raw_card import edit_block
from run_check import run_check

from offside_data.dataset.folder import OffsideDataset
from offside_data.issues import Issue
from offside_data.release.snapshots import Snapshot, keep, snapshot_folder


def check(folder: Path) -> list[Issue]:
    return run_check("versions", folder)


def codes(folder: Path) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in check(folder)]


def test_a_dataset_that_was_never_released(fresh: OffsideDataset) -> None:
    assert check(fresh.path) == []


def test_a_kept_release_that_fits(fresh: OffsideDataset) -> None:
    keep(fresh.path, fresh.version, fresh.digest)
    assert check(fresh.path) == []


def test_changes_since_the_release_are_told(fresh: OffsideDataset) -> None:
    keep(fresh.path, fresh.version, f"sha256:{'0' * 64}")
    assert ("info", "unreleased-changes") in codes(fresh.path)


def test_a_kept_release_never_changes(fresh: OffsideDataset) -> None:
    kept = keep(fresh.path, "0.0.9", fresh.digest)
    assert codes(fresh.path) == [("error", "release-changed")]  # It says that it is 0.1.0.
    edit_block(kept.folder, version="0.0.9")
    assert codes(fresh.path) == []
    Snapshot(kept.folder, "0.0.9", f"sha256:{'0' * 64}").save_facts(kept.folder)
    assert codes(fresh.path) == [("error", "release-changed")]
    Snapshot(kept.folder, "0.0.9", f"sha256:{'0' * 64}", {"subjects": 1}).save_facts(kept.folder)
    assert codes(fresh.path) == []  # A takedown took something out of it.


def test_a_kept_release_may_be_of_an_older_schema(fresh: OffsideDataset) -> None:
    kept = keep(fresh.path, fresh.version, fresh.digest)
    edit_block(kept.folder, schema_version=0, parent="of another form", pictures=3)
    assert codes(fresh.path) == []


@pytest.mark.parametrize("name", ["release.json", "README.md"])
def test_a_damaged_release_is_named(fresh: OffsideDataset, name: str) -> None:
    kept = keep(fresh.path, fresh.version, fresh.digest)
    (kept.folder / name).write_text("{")
    assert codes(fresh.path) == [("error", "release-unreadable")]


def test_the_parent_is_what_was_released(fresh: OffsideDataset) -> None:
    kept = keep(fresh.path, "0.0.9", fresh.digest)
    edit_block(kept.folder, version="0.0.9")
    for digest, found in ((fresh.digest, []), (f"sha256:{'0' * 64}", [("error", "parent-mismatch")])):
        edit_block(fresh.path, parent={"version": "0.0.9", "digest": digest})
        assert codes(fresh.path) == found


@pytest.mark.parametrize("text", [None, "# Changelog\n\n## 0.0.1\n"])
def test_the_changelog_tells_the_version(fresh: OffsideDataset, text: str | None) -> None:
    path = fresh.path / "CHANGELOG.md"
    path.unlink() if text is None else path.write_text(text)
    assert codes(fresh.path) == [("warning", "changelog-incomplete")]


def test_only_cards_are_read(fresh: OffsideDataset, monkeypatch: Any) -> None:
    keep(fresh.path, fresh.version, fresh.digest)
    for path in snapshot_folder(fresh.path, fresh.version).rglob("*.parquet"):
        path.unlink()
    assert check(fresh.path) == []
