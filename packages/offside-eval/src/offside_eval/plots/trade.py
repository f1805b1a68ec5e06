"""What is kept over what is forgotten, along the trajectories of a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from offside_eval.compare import Comparison

SUMMARY = "keeping over forgetting along trajectories, a panel a set"


def draw(comparison: Comparison, setting: str) -> Figure | None:
    """As the report draws it; null where no model has what it takes."""
    from offside_eval.report import charts, static

    panels = [panel for panel in charts.trades(comparison) if panel.setting == setting]
    return static.trade_figure(panels) if panels else None
