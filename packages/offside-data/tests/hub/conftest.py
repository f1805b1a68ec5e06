"""A loopback Hub that the client of this process talks to, without waiting."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@pytest.fixture(scope="session")
def released_once(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publishable(small.path, tmp_path_factory.mktemp("publishable") / "data")


@dataclass(frozen=True)
class Published:
    """Versions 1.0.0, 1.0.1 and 1.1.0, and the Hub that holds them."""

    folder: Path
    repos: dict[tuple[str, str], Repo]
    blobs: dict[str, bytes]


@pytest.fixture(scope="session")
def published_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    home = tmp_path_factory.mktemp("published")
    folder = shutil.copytree(released_once, home / "data")
    with LoopbackHub() as served, machine(served, home / "home"):
        publish(folder, REPO, contact=CONTACT)
        for number, bump in enumerate(("patch", "minor")):
            go_on(folder, f"The player, {number}, represents ____.", bump=bump)
            publish(folder, REPO)
        return Published(folder, served.repos, served.blobs)


@pytest.fixture
def published(hub: LoopbackHub, published_once: Published, tmp_path: Path) -> Path:
    """The folder that they come from, a copy of this test's own; its Hub holds them, too."""
    hub.blobs.update(published_once.blobs)
    for place, repo in published_once.repos.items():
        copied = {name: dict(getattr(repo, name)) for name in ("commits", "branches", "tags", "pulls")}
        hub.repos[place] = Repo(repo.kind, repo.name, repo.private, hub.blobs, **copied)
        hub.repos[place].branches.update(repo.branches)
    return shutil.copytree(published_once.folder, tmp_path / "published")


@pytest.fixture
def ready(released_once: Path, tmp_path: Path) -> Path:
    """What can be published, released as 1.0.0; a copy of this test's own."""
    return shutil.copytree(released_once, tmp_path / "ready")
