"""A loopback Hub that the client of this process talks to, without waiting."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from hub_machine import CONTACT, go_on, machine, make_publishable
from hub_repos import Repo
from loopback_hub import LoopbackHub

from offside_data.dataset.folder import OffsideDataset
from offside_data.hub.publishing import publish

REPO = "org/small"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, each time; nobody waits."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def hub(waits: list[float], tmp_path: Path) -> Iterator[LoopbackHub]:
    """A Hub, and this process beside it."""
    with LoopbackHub() as served, machine(served, tmp_path / "home"):
        yield served


@contextlib.contextmanager
def unread() -> Iterator[None]:
    """`croissant.json` is written whole, but not read back again, which has tests of its own."""
    with mock.patch("offside_data.release.croissant._read_back"):
        yield


@pytest.fixture(autouse=True)
def _unread() -> Iterator[None]:
    with unread():
        yield


@pytest.fixture(scope="session")
def released_once(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with unread():
        return make_publishable(small.path, tmp_path_factory.mktemp("publishable") / "data")


@dataclass(frozen=True)
class Published:
    """A folder whose versions were published, and what the Hub holds of them."""

    folder: Path
    repos: dict[tuple[str, str], Repo]
    blobs: dict[str, bytes]

    def again(self, hub: LoopbackHub, folder: Path) -> Path:
        """Put the same onto another Hub, and a copy of the folder where a test may change it."""
        hub.blobs.update(self.blobs)
        for place, repo in self.repos.items():
            copied = {name: dict(getattr(repo, name)) for name in ("commits", "branches", "tags", "pulls")}
            hub.repos[place] = Repo(repo.kind, repo.name, repo.private, hub.blobs, **copied)
            hub.repos[place].branches.update(repo.branches)  # A new repository has begun a branch of its own.
        return shutil.copytree(self.folder, folder)


@pytest.fixture(scope="session")
def published_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Versions 1.0.0, 1.0.1 and 1.1.0."""
    home = tmp_path_factory.mktemp("published")
    folder = shutil.copytree(released_once, home / "data")
    with LoopbackHub() as served, machine(served, home / "home"), unread():
        publish(folder, REPO, contact=CONTACT)
        for number, bump in enumerate(("patch", "minor")):
            go_on(folder, f"The player, {number}, represents ____.", bump=bump)
            publish(folder, REPO)
        return Published(folder, served.repos, served.blobs)


@pytest.fixture
def published(hub: LoopbackHub, published_once: Published, tmp_path: Path) -> Path:
    """The folder that they come from, a copy of this test's own; its Hub holds them, too."""
    return published_once.again(hub, tmp_path / "published")


@pytest.fixture(scope="session")
def ahead_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Version 1.0.0, and a folder that is at 1.0.1 already."""
    home = tmp_path_factory.mktemp("ahead")
    folder = shutil.copytree(released_once, home / "data")
    with LoopbackHub() as served, machine(served, home / "home"), unread():
        publish(folder, REPO, contact=CONTACT)
        go_on(folder, "The player represents ____ now.")
        return Published(folder, served.repos, served.blobs)


@pytest.fixture
def ahead(hub: LoopbackHub, ahead_once: Published, tmp_path: Path) -> Path:
    """A folder released as 1.0.1, a copy of this test's own; its Hub holds its version 1.0.0."""
    return ahead_once.again(hub, tmp_path / "ahead")


@pytest.fixture
def ready(released_once: Path, tmp_path: Path) -> Path:
    """What can be published, released as 1.0.0; a copy of this test's own."""
    return shutil.copytree(released_once, tmp_path / "ready")
