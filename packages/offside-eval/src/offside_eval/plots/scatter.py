"""Forgetting against keeping, a mark a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from offside_eval.compare import Comparison

SUMMARY = "forgetting against keeping, a mark a model"


def draw(comparison: Comparison, setting: str) -> Figure | None:
    """As the report draws it; null where no model has what it takes."""
    from offside_eval.report import charts, static

    panel = next((panel for panel in charts.scatters(comparison) if panel.setting == setting), None)
    return None if panel is None else static.scatter_figure(panel)
