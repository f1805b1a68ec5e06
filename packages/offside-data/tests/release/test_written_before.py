"""Datasets written by earlier versions open, mean the same, and go on.

`data/written_by_0_1_0.tar.xz` was written by offside-data 0.1.0: two invented subjects with ten records and four
pictures each, and a picture of the first once more; released as 1.0.0; then `dedup --apply` merged the two.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from offside_data.check import check_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.undo import undo
from offside_data.release.diff import diff_datasets
from offside_data.release.releasing import make_release
from offside_data.release.snapshots import find_snapshot, snapshot_folder

ARCHIVE = Path(__file__).parents[1] / "data" / "written_by_0_1_0.tar.xz"
RELEASED = "sha256:e00594d37ca751579e32db325f9a305ff3923d7f2e2f70f8152c6a93b2c5afc5"
MERGED = "sha256:4f08716a0eb48d2f625b0707f477389a0635ef35f4587f56c17385555033b93d"
DECISION, GONE, COPY = "dba66d130c712", "rc8fa9f5c77d652d05a46", "i84ab840bd1463f5a7b91"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.unpack_archive(ARCHIVE, tmp_path / "old", filter="data")
    return tmp_path / "old"


def test_its_digests_are_what_they_were(old: Path) -> None:
    assert open_dataset(old).verify() == MERGED
    snapshot = find_snapshot(old, "1.0.0")
    assert snapshot is not None
    assert open_dataset(snapshot.folder).verify() == snapshot.digest == RELEASED
    dataset = open_dataset(old)
    assert len(list(dataset.iter_records())) == 20
    assert {record.image.bytes[:3] for record in dataset.iter_records() if record.image} == {b"\xff\xd8\xff"}


def test_check_finds_what_it_found_then(old: Path) -> None:
    found = {(issue.severity, issue.code) for issue in check_dataset(open_dataset(old))}
    assert found == {("warning", "croissant-outdated"), ("info", "unreleased-changes")}


def test_its_decision_is_taken_back(old: Path) -> None:
    undo(old, DECISION)
    assert open_dataset(old).verify() == RELEASED
    assert diff_datasets(snapshot_folder(old, "1.0.0"), old) == []
    assert [decision["kind"] for decision in read_decisions(old)] == ["duplicate", "undo"]


def test_it_goes_on_to_the_next_release(old: Path) -> None:
    report = make_release(old, bump="minor", note="A picture less.")
    assert (report.version, report.digest, report.parent, report.needed) == ("1.1.0", MERGED, "1.0.0", "minor")
    assert open_dataset(old).verify() == MERGED
    assert json.loads((old / "croissant.json").read_text(encoding="utf-8"))["version"] == "1.1.0"
    assert check_dataset(open_dataset(old)) == []
    found = diff_datasets(snapshot_folder(old, "1.0.0"), snapshot_folder(old, "1.1.0"))
    assert [(change.kind, change.action, change.name) for change in found] == [
        ("image", "removed", COPY),
        ("record", "removed", GONE),
    ]
