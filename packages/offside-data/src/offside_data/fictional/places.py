"""Backgrounds that say nothing of the world they are in; any world may use them."""

from __future__ import annotations

import random

from offside_data.fictional.canvas import SIZE, Canvas, Color, outline


def halves(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """A broad stripe at one side, and a disc."""
    width = source.uniform(40, 84)
    left = source.choice((0, SIZE - width))
    canvas.rectangle(left, 0, left + width, SIZE, second)
    canvas.ellipse(source.uniform(0, SIZE), source.uniform(0, 110), 30, 30, third)


def diagonal(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Two slanting stripes."""
    start, end = source.uniform(-40, SIZE + 40), source.uniform(-40, SIZE + 40)
    canvas.line([(start, -9), (end, SIZE + 9)], source.uniform(30, 60), second)
    canvas.line([(start + 50, -9), (end + 50, SIZE + 9)], source.uniform(8, 20), third)


def bands(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Two level stripes."""
    for color, height in ((second, source.uniform(20, 46)), (third, source.uniform(10, 26))):
        top = source.uniform(-10, 150)
        canvas.rectangle(0, top, SIZE, top + height, color)


def rays(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Rays from anywhere."""
    x, y = source.uniform(0, SIZE), source.uniform(0, SIZE)
    rim = outline(x, y, 330, 330, corners=72)
    start = source.randrange(12)
    for ray in range(6):
        index = (start + ray * 12) % 72
        canvas.polygon([(x, y), rim[index], rim[(index + 4) % 72]], third if ray == 0 else second)


def blobs(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Discs of all sizes."""
    for blob in range(7):
        size = source.uniform(14, 40)
        color = third if blob > 4 else second
        canvas.ellipse(source.uniform(0, SIZE), source.uniform(0, SIZE), size, size, color)


def boards(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Some squares of a chessboard."""
    size = source.choice((38, 45, 56))
    for row in range(SIZE // size + 1):
        for column in range(SIZE // size + 1):
            if source.random() < 0.35:
                left, top = column * size, row * size
                canvas.rectangle(left, top, left + size, top + size, source.choice((second, second, third)))


def corners(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Three corners or sides cut off."""
    for x, y in source.sample(((0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE), (0, 112), (SIZE, 112)), 3):
        size = source.uniform(36, 76)
        canvas.polygon(outline(x, y, size, size, source.choice((2.0, 6.0, 1.2))), source.choice((second, third)))
