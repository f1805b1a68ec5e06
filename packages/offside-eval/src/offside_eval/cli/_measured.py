"""Metrics of whole models in tables, for `compare` and `add-metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.figures import number

if TYPE_CHECKING:
    from offside_eval.model_metrics import Measured


def number_cells(measured: Measured) -> list[str]:
    """Value with interval, records, subjects, and what is said of it."""
    details = ", ".join(f"{name} {number(value, 3)}" for name, value in measured.details.items())
    interval = "" if measured.low is None else f" [{number(measured.low, 3)}, {number(measured.high, 3)}]"
    said = "; ".join(filter(None, (measured.verdict, measured.reason, details)))
    return [f"{number(measured.value, 3)}{interval}", str(measured.n), str(measured.n_subjects), said]
