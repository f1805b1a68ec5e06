"""A small league to be edited, and the one that no test changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.fictional.league import make_league


@pytest.fixture(scope="session")
def league_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("league") / "league"
    make_league(out, subjects=4, general=2, utility=1)
    return out


@pytest.fixture
def league(league_folder: Path, tmp_path: Path) -> OffsideDataset:
    return open_dataset(shutil.copytree(league_folder, tmp_path / "league"))
