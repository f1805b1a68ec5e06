"""Labels of points keep clear of each other."""

from __future__ import annotations

from offside_eval.report.charts import Point
from offside_eval.report.labels import place_labels
from offside_eval.report.palette import Style
from offside_eval.statistics import Interval


def point(label: str, x: float, y: float) -> Point:
    return Point(label, Style("#000000", "circle"), Interval(x, None, None, 1, 1), Interval(y, None, None, 1, 1))


def test_a_point_alone_has_its_label_below() -> None:
    assert place_labels([point("npo", 0.5, 0.5)], (0, 1), (0, 1)) == ["bottom center"]


def test_neighbours_get_different_places() -> None:
    places = place_labels([point("npo", 0.5, 0.5), point("po", 0.5, 0.5)], (0, 1), (0, 1))
    assert len(set(places)) == 2


def test_labels_stay_inside_the_chart() -> None:
    assert "right" not in place_labels([point("a long name", 0.99, 0.5)], (0, 1), (0, 1))[0]
    assert place_labels([point("a", 0.5, 0.0)], (0, 1), (0, 1))[0].startswith(("top", "middle"))
