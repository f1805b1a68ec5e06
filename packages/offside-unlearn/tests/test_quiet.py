"""Keeping the libraries quiet, and leaving them as they were."""

from __future__ import annotations

import warnings

import pytest
from transformers.utils import logging

from offside_unlearn.quiet import quietly


def test_it_is_quiet_inside_and_as_before_outside() -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quietly():
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
        warnings.warn("of a library", FutureWarning, stacklevel=1)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_other_warnings_still_come_through() -> None:
    with quietly(), pytest.warns(UserWarning, match="of ours"):
        warnings.warn("of ours", UserWarning, stacklevel=1)
