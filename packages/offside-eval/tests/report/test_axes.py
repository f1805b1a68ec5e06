"""The grids of charts stay legible, however long an interval is."""

from __future__ import annotations

import pytest

from offside_eval.report.charts import Point, Scatter
from offside_eval.report.interactive import scatter_chart
from offside_eval.report.palette import Style
from offside_eval.statistics import Interval


@pytest.mark.parametrize(("high", "step"), [(1.1, 0.25), (28.8, None)])
def test_a_long_axis_has_no_line_at_every_quarter(high: float, step: float | None) -> None:
    x, y = Interval(0.5, 0.0, high, 6, 6), Interval(0.7, 0.5, 0.9, 6, 6)
    panel = Scatter("selective", "", [Point("npo", Style("#000000", "circle"), x, y)])
    chart = scatter_chart(panel)
    assert chart["layout"]["xaxis"].get("dtick") == step
    assert chart["layout"]["yaxis"]["dtick"] == 0.25
