"""Charts of a comparison: one chart = one file; the file name is the chart's name.

A module here (or an entry point in the group `offside_eval.plots`) defines `draw(comparison, setting)`, which returns a
matplotlib figure of one setting, or null where there is nothing to draw, and `SUMMARY`, a line about it.
"""

from __future__ import annotations

from offside_data.plugins import Registry

PLOTS = Registry("offside_eval.plots", "plot", needs={"SUMMARY": str})

__all__ = ["PLOTS"]
