"""Paths shared by the cross-package tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # For `forked_commands`, which several tests use.
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def bin_dir() -> Path:
    """Where the console scripts of the running environment lie."""
    return Path(sys.executable).parent
