"""`plots/`: every chart of the page as PNG and SVG."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from offside_eval.compare import Comparison
from offside_eval.report import charts, static


def write_plots(folder: Path, comparison: Comparison) -> dict[str, Path]:
    """Draw all charts; returns the SVG file of each by the chart's id on the page."""
    folder.mkdir()
    written: dict[str, Path] = {}
    for setting, panels in groupby(charts.trades(comparison), key=lambda panel: panel.setting):
        key = f"trade-{setting}"
        written[key] = static.save_trade(folder / key, list(panels))[1]
    for scatter in charts.scatters(comparison):
        key = f"scatter-{scatter.setting}"
        written[key] = static.save_scatter(folder / key, scatter)[1]
    for panel in charts.curves(comparison):
        key = f"curve-{panel.key}"
        written[key] = static.save_curves(folder / key, panel)[1]
    twins = charts.twins(comparison)
    if twins:
        written["twins"] = static.save_twins(folder / "twins", twins)[1]
    return written
