"""A written report to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from offside_eval.compare import Comparison, compare
from offside_eval.report import write_report


@pytest.fixture(scope="session")
def comparison(study: list[Path]) -> Comparison:
    return compare(study)


@pytest.fixture(scope="session")
def report(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report without pictures."""
    return write_report(tmp_path_factory.mktemp("report") / "out", comparison).parent
