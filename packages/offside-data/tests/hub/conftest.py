"""A loopback Hub that the client of this process talks to, without waiting."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_machine import machine, make_publishable
from loopback_hub import LoopbackHub

from offside_data.dataset.folder import OffsideDataset


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


@pytest.fixture
def ready(released_once: Path, tmp_path: Path) -> Path:
    """What can be published, released as 1.0.0; a copy of this test's own."""
    return shutil.copytree(released_once, tmp_path / "ready")
