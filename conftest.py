"""What all tests share: laws without a deadline, the longest files first, no waiting for the disk, rare collections."""

from __future__ import annotations

import gc
import os
import sys

import pytest
from hypothesis import settings

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # As OMP_NUM_THREADS: the cores are used side by side.
gc.set_threshold(20_000, *gc.get_threshold()[1:])  # Python's own number, 700, is for programs with less in memory.
# What a killed process wrote is still there; only a power cut would need it on the disk, and the tests of one put
# something else in place of these, as do those of what is synced and when. Programs that tests start do sync.
os.fsync, os.sync = lambda number: None, lambda: None
settings.register_profile("offside", deadline=None)
settings.load_profile("offside")

LONGEST = (
    "test_story.py",
    "test_nothing_lost.py",
    "test_curation_kills.py",
    "test_families.py",
    "test_demo.py",
    "test_study.py",
    "test_curation.py",
    "test_contract.py",
    "test_unlearning.py",
    "test_trainer.py",
)
MANY = 100
"""Modules that make it worth while to set their objects aside."""

_frozen = 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files go to whichever process is free: were the longest ones last, the others would have nothing to do."""
    items.sort(key=lambda item: (*LONGEST, item.path.name).index(item.path.name))


@pytest.fixture(autouse=True, scope="module")
def _set_aside() -> None:
    """Keep what was imported out of garbage collection: each training run collects, and would look it all over."""
    global _frozen
    if len(sys.modules) > _frozen + MANY:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
