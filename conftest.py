"""What all tests share: property-based tests have no deadline, for busy machines; the longest files go first."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("offside", deadline=None)
settings.load_profile("offside")

LONGEST = (
    "test_story.py",
    "test_nothing_lost.py",
    "test_curation_kills.py",
    "test_demo.py",
    "test_study.py",
    "test_curation.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files go to whichever process is free: were the longest ones last, the others would have nothing to do."""
    items.sort(key=lambda item: (*LONGEST, item.path.name).index(item.path.name))
