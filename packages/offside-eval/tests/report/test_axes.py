"""The grids of charts stay legible, however long an interval is."""

from __future__ import annotations

import pytest

from offside_eval.report.charts import Point, Scatter
from offside_eval.report.interactive import scatter_chart
from offside_eval.report.palette import Style
from offside_eval.statistics import Interval


@pytest.mark.parametrize(("value", "step"), [(0.2, 0.25), (-12.0, None)])
def test_a_long_axis_has_no_line_at_every_quarter(value: float, step: float | None) -> None:
    x, y = Interval(value, value - 20, 28.8, 6, 6), Interval(0.7, 0.5, 0.9, 6, 6)
    panel = Scatter("selective", "", [Point("npo", Style("#000000", "circle"), x, y)])
    chart = scatter_chart(panel)
    assert chart["layout"]["xaxis"].get("dtick") == step
    assert chart["layout"]["yaxis"]["dtick"] == 0.1  # What is shown of it is less than a whole.


def test_the_axes_show_where_the_methods_are() -> None:
    """Two methods near the aim fill the chart; the controls far off are named instead of shrinking it."""

    def point(label: str, x: float, y: float, control: bool = False) -> Point:
        style = Style("#000000", "circle")
        return Point(label, style, Interval(x, x - 0.02, x + 0.02, 6, 6), Interval(y, None, None, 6, 6), control)

    near = [point("npo", 0.95, 0.93), point("po", 0.9, 0.97)]
    panel = Scatter("selective", "", [*near, point("vanilla", 0.0, 1.0, True), point("retain-only", 1.0, 0.98, True)])
    (left, right), (bottom, top) = panel.x_range, panel.y_range
    assert 0.7 < left < 0.88
    assert 1.0 < right < 1.2
    assert 0.8 < bottom < 0.93
    assert 1.0 < top < 1.2
    assert [p.label for p in panel.outside] == ["vanilla"]
    assert len(scatter_chart(panel)["data"]) == 3
