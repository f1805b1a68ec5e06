"""Run one check on a dataset folder as it is now."""

from __future__ import annotations

from pathlib import Path

from offside_data.check import CHECKS
from offside_data.checks._base import look_at
from offside_data.dataset.folder import open_dataset
from offside_data.issues import Issue


def run_check(name: str, folder: Path) -> list[Issue]:
    with look_at(open_dataset(folder)) as checked:
        return list(CHECKS.load(name).run(checked))
