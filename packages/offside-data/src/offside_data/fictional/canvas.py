"""A small supersampled canvas on which shapes are placed, turned and scaled as one."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

SIZE = 224
"""Width and height of every drawn picture, in pixels."""
_OVERSAMPLING = 3


class Canvas:
    """Draw in picture pixels, or after `place` in the coordinates of a turned, scaled figure.

    Everything ends as a polygon with whole-number corners on a larger picture, so that the result
    doesn't depend on how a machine rounds.
    """

    def __init__(self, background: Color) -> None:
        self._image = Image.new("RGB", (SIZE * _OVERSAMPLING,) * 2, background)
        self._draw = ImageDraw.Draw(self._image)
        self.place()

    def place(self, x: float = 0, y: float = 0, scale: float = 1, degrees: float = 0) -> None:
        """Put the origin of what follows at (x, y), scaled and turned clockwise."""
        angle = math.radians(degrees)
        self._x, self._y, self._scale = x, y, scale
        self._cos, self._sin = scale * math.cos(angle), scale * math.sin(angle)

    def polygon(self, points: Iterable[Point], fill: Color) -> None:
        """Fill a polygon; nothing happens if it has fewer than three corners."""
        corners = self._pixels(points)
        if len(corners) > 2:
            self._draw.polygon(corners, fill=fill)

    def rectangle(self, left: float, top: float, right: float, bottom: float, fill: Color) -> None:
        """Fill a rectangle, turned with the figure."""
        self.polygon(rectangle(left, top, right, bottom), fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Color) -> None:
        """Fill an ellipse around (x, y)."""
        self.polygon(outline(x, y, rx, ry), fill)

    def ring(self, points: Sequence[Point], width: float, fill: Color) -> None:
        """Draw the closed outline of a polygon."""
        self.line([*points, points[0], points[1]], width, fill)

    def line(self, points: Iterable[Point], width: float, fill: Color) -> None:
        """Draw an open line."""
        thickness = max(1, round(width * self._scale * _OVERSAMPLING))
        self._draw.line(self._pixels(points), fill=fill, width=thickness, joint="curve")

    def finish(self) -> Image.Image:
        """The picture at its final size."""
        return self._image.reduce(_OVERSAMPLING)

    def _pixels(self, points: Iterable[Point]) -> list[tuple[int, int]]:
        return [
            (
                round((self._x + x * self._cos - y * self._sin) * _OVERSAMPLING),
                round((self._y + x * self._sin + y * self._cos) * _OVERSAMPLING),
            )
            for x, y in points
        ]


def outline(x: float, y: float, rx: float, ry: float, power: float = 2.0, corners: int = 40) -> list[Point]:
    """Corners of a superellipse: power 2 is an ellipse, higher powers are boxier."""
    return [(x + rx * unit_x, y + ry * unit_y) for unit_x, unit_y in _unit_outline(power, corners)]


@functools.cache
def _unit_outline(power: float, corners: int) -> tuple[Point, ...]:
    angles = (2 * math.pi * step / corners for step in range(corners))
    return tuple((_signed_power(math.cos(a), 2 / power), _signed_power(math.sin(a), 2 / power)) for a in angles)


def _signed_power(base: float, exponent: float) -> float:
    return math.copysign(abs(base) ** exponent, base)


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, corners: int = 16) -> list[Point]:
    """Points on an ellipse from `start` to `stop` degrees (0 = right, 90 = down)."""
    angles = [math.radians(start + (stop - start) * step / (corners - 1)) for step in range(corners)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def shade(color: Color, factor: float) -> Color:
    """A darker (factor below 1) or lighter colour."""
    red, green, blue = (min(255, max(0, round(c * factor))) for c in color)
    return red, green, blue


def intersection(polygon: Sequence[Point], convex: Sequence[Point]) -> list[Point]:
    """The part of a polygon that lies in a convex one (Sutherland and Hodgman's algorithm)."""
    area = sum(x * b - a * y for (x, y), (a, b) in zip(convex, [*convex[1:], convex[0]], strict=True))
    corners = convex if area > 0 else convex[::-1]
    part = list(polygon)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        sides = [(x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) for x, y in part]
        kept: list[Point] = []
        for number, (point, side) in enumerate(zip(part, sides, strict=True)):
            before, side_before = part[number - 1], sides[number - 1]
            if (side < 0) != (side_before < 0):
                share = side_before / (side_before - side)
                kept.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
            if side >= 0:
                kept.append(point)
        part = kept
    return part


def rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
