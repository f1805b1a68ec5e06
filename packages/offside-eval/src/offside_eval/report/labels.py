"""Where to write the names of points so that they don't cover each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offside_eval.report.charts import Point

PLACES: Mapping[str, tuple[int, int]] = {
    "bottom center": (0, -1),
    "top center": (0, 1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "bottom right": (1, -1),
    "top right": (1, 1),
    "bottom left": (-1, -1),
    "top left": (-1, 1),
}
"""Plotly's names of the places around a point, with their direction."""
_CHARACTER, _LINE, _MARK = 0.0155, 0.05, 0.022
"""Width of a character, height of a line and half a mark, as shares of the chart's width and height."""

Box = tuple[float, float, float, float]


def place_labels(points: Sequence[Point], x_range: Sequence[float], y_range: Sequence[float]) -> list[str]:
    """A place for each point's label, the least covered one first come, first served."""
    spots = [(_share(p.x.value, x_range), _share(p.y.value, y_range)) for p in points]
    taken: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in spots]
    chosen = []
    for point, spot in zip(points, spots, strict=True):
        boxes = {place: _label_box(spot, direction, len(point.label)) for place, direction in PLACES.items()}
        best = min(boxes, key=lambda place: _covered(boxes[place], taken))
        taken.append(boxes[best])
        chosen.append(best)
    return chosen


def _share(value: float, scale: Sequence[float]) -> float:
    return (value - scale[0]) / (scale[1] - scale[0])


def _label_box(spot: tuple[float, float], direction: tuple[int, int], length: int) -> Box:
    width, (x, y), (right, up) = _CHARACTER * length, spot, direction
    left = x - width / 2 + right * (width / 2 + _MARK)
    bottom = y - _LINE / 2 + up * (_LINE / 2 + _MARK)
    return left, bottom, left + width, bottom + _LINE


def _covered(box: Box, taken: Sequence[Box]) -> float:
    """Area that a box shares with what is there already; leaving the chart counts as well."""
    area = sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )
    return area + max(0.0, -box[0]) + max(0.0, box[2] - 1) + max(0.0, -box[1]) + max(0.0, box[3] - 1)
