from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import DatasetError
from offside_data.release.snapshots import Snapshot, all_snapshots, find_snapshot, keep, snapshot_folder


def test_versions_come_in_their_order(fresh: OffsideDataset) -> None:
    for version in ("1.10.0", "1.9.0", "1.2.0"):
        keep(fresh.path, version, fresh.digest)
    assert [snapshot.version for snapshot in all_snapshots(fresh.path)] == ["1.2.0", "1.9.0", "1.10.0"]


def test_a_snapshot_holds_the_dataset_and_nothing_hidden(fresh: OffsideDataset) -> None:
    (fresh.path / ".git").mkdir()
    (fresh.path / ".git" / "config").write_text("mine")
    snapshot = keep(fresh.path, "1.0.0", fresh.digest)
    names = {path.relative_to(fresh.path) for path in fresh.path.rglob("*") if path.is_file()}
    ours = {name for name in names if not name.parts[0].startswith(".")}
    kept = {path.relative_to(snapshot.folder) for path in snapshot.folder.rglob("*") if path.is_file()}
    assert kept == ours | {Path("release.json")}


def test_disks_without_links_get_copies(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*args: Any) -> None:
        raise OSError("not here")

    monkeypatch.setattr(os, "link", link)
    snapshot = keep(fresh.path, "1.0.0", fresh.digest)
    parquet = next(fresh.path.glob("data/*/*.parquet"))
    assert (snapshot.folder / parquet.relative_to(fresh.path)).read_bytes() == parquet.read_bytes()


def test_nothing_is_kept_of_a_new_dataset(fresh: OffsideDataset) -> None:
    assert all_snapshots(fresh.path) == []
    assert find_snapshot(fresh.path, "1.0.0") is None


@pytest.mark.parametrize("text", [None, "{", "[]", '{"version": "1.0.0"}'])
def test_damaged_facts_are_named(tmp_path: Path, text: str | None) -> None:
    folder = snapshot_folder(tmp_path, "1.0.0")
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "release.json").write_text(text)
    with pytest.raises(DatasetError, match=r"1\.0\.0/release\.json: can't be read.*Restore it, or delete the folder"):
        find_snapshot(tmp_path, "1.0.0")


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = snapshot_folder(tmp_path, "1.0.0")
    folder.mkdir(parents=True)
    snapshot = Snapshot(folder, "1.0.0", "sha256:ab", {"subjects": 1, "records": 3, "pictures": 2})
    snapshot.save_facts(folder)
    assert find_snapshot(tmp_path, "1.0.0") == snapshot
