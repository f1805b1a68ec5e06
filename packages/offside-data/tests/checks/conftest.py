"""Run one check on a dataset whose rows were changed behind its card's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from run_check import run_check

from offside_data.dataset.folder import OffsideDataset
from offside_data.issues import Issue

Rows = list[dict[str, Any]]


@pytest.fixture
def found(fresh: OffsideDataset, edit_rows: Any) -> Callable[..., list[Issue]]:
    """Apply changes by part, e.g. `{"text/forget": change}`, and run the check of that name."""

    def run(check: str, changes: dict[str, Callable[[Rows], Any]] | None = None) -> list[Issue]:
        dataset = fresh
        for part, change in (changes or {}).items():
            dataset = edit_rows(dataset, part, change)
        return run_check(check, dataset.path)

    return run


def set_on(subject: str, attribute: str, /, **fields: Any) -> Callable[[Rows], None]:
    """A change of fields of the records about one attribute of one subject."""

    def change(rows: Rows) -> None:
        hits = [row for row in rows if (row["subject_id"], row["attribute"]) == (subject, attribute)]
        assert hits
        for row in hits:
            row.update(fields)

    return change


@pytest.fixture
def setter() -> Callable[..., Callable[[Rows], None]]:
    return set_on
