from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hub_machine import go_on, machine
from loopback_hub import LoopbackHub

from offside_data.dataset.folder import open_dataset
from offside_data.errors import DatasetReferenceError, HubError, HubNotFoundError, ReleaseError, UsageError
from offside_data.hub.publishing import publish
from offside_data.hub.withdrawing import withdraw

REPO = "org/small"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_version_goes_with_its_history_and_the_others_stay(hub: LoopbackHub, published: Path, tmp_path: Path) -> None:
    repo = hub.dataset(REPO)
    releases = published / ".offside" / "releases"
    gone = _sha256(releases / "1.0.0" / "data" / "multimodal" / "retain-00000-of-00001.parquet")
    assert gone in repo.reachable()
    report = withdraw(published, REPO, ["1.0.0"])
    assert (report.withdrawn, report.kept) == (["1.0.0"], ["1.0.1", "1.1.0"])
    assert set(repo.tags) == {"v1.0.1", "v1.1.0"}
    assert set(repo.branches) == {"main"}
    assert gone not in repo.reachable()
    assert [text for text in report.out_of_reach if "large files" in text]
    with machine(hub, tmp_path / "other"):
        for version in ("1.0.1", "1.1.0"):
            assert open_dataset(f"{REPO}@{version}").verify() == open_dataset(releases / version).digest
        with pytest.raises(DatasetReferenceError, match=r"There are 1\.0\.1, 1\.1\.0"):
            open_dataset(f"{REPO}@1.0.0")
    go_on(published, "And on: ____.")
    assert publish(published, REPO).outcome == "published"


def test_what_main_is_at_cannot_be_withdrawn(hub: LoopbackHub, published: Path) -> None:
    with pytest.raises(ReleaseError, match=r"main is at 1\.1\.0.*Publish a newer version"):
        withdraw(published, REPO, ["1.1.0"])
    assert len(hub.dataset(REPO).tags) == 3


def test_a_dry_run_and_what_is_not_there(hub: LoopbackHub, published: Path) -> None:
    assert withdraw(published, REPO, ["1.0.0"], dry_run=True).withdrawn == ["1.0.0"]
    assert len(hub.dataset(REPO).tags) == 3
    assert withdraw(published, REPO, ["0.9.0"], dry_run=True).withdrawn == []
    with pytest.raises(UsageError, match="--withdraw: 'v1' isn't a version"):
        withdraw(published, REPO, ["v1"])
    with pytest.raises(HubNotFoundError):
        withdraw(published, "org/other", ["1.0.0"])


@pytest.mark.parametrize("path", ["/branch/", "/super-squash/", "/tag/", "/super-squash/main"])
def test_what_stopped_is_gone_on_with(hub: LoopbackHub, published: Path, path: str) -> None:
    hub.fail("POST", path, "status", status=500, times=99)
    with pytest.raises(HubError):
        withdraw(published, REPO, ["1.0.0"])
    hub.faults.clear()
    withdraw(published, REPO, ["1.0.0"])
    repo = hub.dataset(REPO)
    assert set(repo.tags) == {"v1.0.1", "v1.1.0"}
    assert set(repo.branches) == {"main"}
    assert all(len(repo.history(name)) == 1 for name in ("main", *repo.tags))


@pytest.mark.parametrize("tagged", [True, False])
def test_what_a_stopped_one_kept_goes_too(hub: LoopbackHub, published: Path, tagged: bool) -> None:
    """An earlier withdrawal was killed while it moved the tag of a version that is to go now."""
    repo = hub.dataset(REPO)
    repo.branches["offside-keep-v1.0.1"] = repo.tags["v1.0.1"]
    if not tagged:
        del repo.tags["v1.0.1"]
    withdraw(published, REPO, ["1.0.1"])
    assert set(repo.tags) == {"v1.0.0", "v1.1.0"}
    assert set(repo.branches) == {"main"}


def test_again_it_changes_nothing_and_says_that_it_is_gone(hub: LoopbackHub, published: Path) -> None:
    repo = hub.dataset(REPO)
    withdraw(published, REPO, ["1.0.0", "1.0.0"])
    tags, main = dict(repo.tags), repo.branches["main"]
    report = withdraw(published, REPO, ["1.0.0"])
    assert (report.withdrawn, report.absent, report.kept) == ([], ["1.0.0"], ["1.0.1", "1.1.0"])
    assert (repo.tags, repo.branches) == (tags, {"main": main})
