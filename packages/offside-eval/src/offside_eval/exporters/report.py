"""The report of the command `report`, with its defaults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offside_eval.results import Results

SUMMARY = "a page with plots and tables, as the command report writes it"


def write(results: Sequence[Results], out: Path, *, force: bool) -> Path:
    """Write it; see `report.write_report`."""
    from offside_eval.report import write_report

    return write_report(out, results, force=force)
