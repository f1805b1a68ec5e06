from __future__ import annotations

import pytest

from offside_data.fictional.canvas import SIZE, Canvas, Point, intersection, outline, rectangle, shade

RED, WHITE = (255, 0, 0), (255, 255, 255)


def area(polygon: list[Point]) -> float:
    return abs(sum(x * b - a * y for (x, y), (a, b) in zip(polygon, polygon[1:] + polygon[:1], strict=True))) / 2


@pytest.mark.parametrize(
    ("polygon", "convex", "expected"),
    [
        (rectangle(0, 0, 10, 10), rectangle(5, 5, 20, 20), 25),
        (rectangle(0, 0, 10, 10), rectangle(5, 5, 20, 20)[::-1], 25),
        (rectangle(0, 0, 10, 10), rectangle(-5, -5, 20, 20), 100),
        (rectangle(0, 0, 10, 10), rectangle(2, 3, 4, 5), 4),
        (rectangle(0, 0, 10, 10), rectangle(11, 0, 20, 20), 0),
        # A notched polygon loses its notch and what sticks out.
        ([(0, 0), (10, 0), (10, 10), (5, 5), (0, 10)], rectangle(0, 0, 10, 5), 50),
    ],
)
def test_intersection(polygon: list[Point], convex: list[Point], expected: float) -> None:
    assert area(intersection(polygon, convex)) == pytest.approx(expected)


def test_intersection_with_a_round_shape() -> None:
    circle = outline(0, 0, 10, 10)
    assert area(intersection(rectangle(-20, -20, 0, 20), circle)) == pytest.approx(area(circle) / 2, rel=0.01)


def test_a_figure_is_placed_scaled_and_turned_as_one() -> None:
    canvas = Canvas(WHITE)
    canvas.place(100, 50, scale=2, degrees=90)
    canvas.rectangle(0, -5, 20, 5, RED)
    picture = canvas.finish()
    assert picture.size == (SIZE, SIZE)
    assert picture.getpixel((100, 70)) == RED
    assert picture.getpixel((120, 50)) == WHITE
    assert picture.getpixel((100, 95)) == WHITE


def test_edges_are_smooth() -> None:
    canvas = Canvas(WHITE)
    canvas.ellipse(112, 112, 50.5, 50.5, RED)
    colors = canvas.finish().getcolors()
    assert colors is not None
    assert len(colors) > 3


def test_shade_stays_a_color() -> None:
    assert shade((200, 100, 0), 2) == (255, 200, 0)
    assert shade((200, 100, 0), 0.5) == (100, 50, 0)
