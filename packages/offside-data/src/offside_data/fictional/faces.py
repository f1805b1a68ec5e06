"""Draw a person's head from a look. Coordinates: the middle of the face is (0, 0), down is positive."""

from __future__ import annotations

from offside_data.fictional.canvas import Canvas, Color, Point, arc, intersection, outline, rectangle, shade
from offside_data.fictional.looks import EYES, GLASSES, HAIR, HEADBAND, SKIN, Look

_SHAPES = {"oval": (50, 66, 2.0), "round": (61, 60, 2.1), "square": (56, 63, 4.0), "long": (44, 74, 2.4)}
_WHITE: Color = (250, 250, 250)
_INK: Color = (22, 20, 24)
_HAIRLINE = -0.44
"""Where the hair begins, as a share of the face's half height."""
_EYES = -5
"""How high the eyes are."""


def draw_head(canvas: Canvas, look: Look, *, lit_from: int = 0) -> None:
    """Draw head, hair and everything on it; `lit_from` is -1 (left), 0 or 1 (right)."""
    rx, ry, power = _SHAPES[look.shape]
    skin, hair = SKIN[look.skin], HAIR[look.hair]
    _hair_behind(canvas, look, rx, ry, hair)
    _ears(canvas, look, rx, skin)
    canvas.polygon(outline(0, 0, rx, ry, power), shade(skin, 0.8))
    canvas.polygon(outline(lit_from * 3, -1, rx - 4, ry - 3, power), skin)
    _mark_under(canvas, look, rx)
    _beard(canvas, look, rx, ry, power)
    _mouth(canvas, look, ry, skin)
    _nose(canvas, look, skin)
    _eyes(canvas, look, rx, hair)
    _hair_in_front(canvas, look, rx, ry)
    if look.headband != "none":
        line = _HAIRLINE * ry
        canvas.polygon(outline(0, line, rx + 5, 12, 8.0), HEADBAND[look.headband])
    _glasses(canvas, look, rx)
    _mark_over(canvas, look, rx)


def _hair_behind(canvas: Canvas, look: Look, rx: float, ry: float, hair: Color) -> None:
    if look.style == "long":
        canvas.polygon(outline(0, 14, rx + 24, ry + 26, 3.0), hair)
    elif look.style == "afro":
        canvas.ellipse(0, -34, rx + 34, ry + 8, hair)
    elif look.style == "topknot":
        canvas.ellipse(0, -ry - 18, 26, 26, hair)


def _ears(canvas: Canvas, look: Look, rx: float, skin: Color) -> None:
    size = 15 if look.ears == "large" else 10
    for side in (-1, 1):
        canvas.ellipse(side * (rx + 2), 2, size * 0.75, size * 1.15, shade(skin, 0.85))
        if look.ears == "earring":
            canvas.ellipse(side * (rx + 4), 16, 5, 6, (250, 208, 60))


def _mark_under(canvas: Canvas, look: Look, rx: float) -> None:
    if look.mark == "freckles":
        dark = shade(SKIN[look.skin], 0.55)
        for side in (-1, 1):
            for dx, dy in ((0.36, 12), (0.5, 18), (0.64, 11), (0.44, 25), (0.62, 25)):
                canvas.ellipse(side * rx * dx, dy, 2.6, 2.6, dark)
    elif look.mark == "paint":
        for side in (-1, 1):
            for y, color in ((14, (235, 40, 50)), (24, _WHITE)):
                canvas.line([(side * rx * 0.38, y), (side * rx * 0.86, y - 4)], 8, color)


def _beard(canvas: Canvas, look: Look, rx: float, ry: float, power: float) -> None:
    hair = HAIR[look.hair]
    face = outline(0, 0, rx + 2, ry + 3, power)

    def grow(points: list[Point]) -> None:
        """Draw a part of the beard, hatched: hair on a chin differs from hair on a head."""
        part = intersection(points, face)
        canvas.polygon(part, hair)
        for x in range(-66, 67, 11):
            canvas.polygon(intersection(part, rectangle(x - 2, -60, x + 2, 100)), shade(SKIN[look.skin], 0.8))

    if look.beard == "full":
        jaw = [(-rx - 6, 0), (-rx * 0.62, 18), (-18, 26), (18, 26), (rx * 0.62, 18), (rx + 6, 0)]
        grow([*jaw, (rx + 6, ry + 6), (-rx - 6, ry + 6)])
    elif look.beard == "goatee":
        grow(outline(0, ry - 8, 24, 28, 2.6))
    elif look.beard == "sideburns":
        for side in (-1, 1):
            grow([(side * rx * f, y) for f, y in ((1.1, -14), (0.66, -14), (0.44, 38), (1.1, 48))])
    if look.beard in ("moustache", "full"):
        for side in (-1, 1):
            canvas.polygon([(0, 25), (side * 18, 26), (side * 38, 40), (side * 18, 40), (0, 37)], hair)


def _mouth(canvas: Canvas, look: Look, ry: float, skin: Color) -> None:
    y = 0.64 * ry
    red = (176, 58, 58)
    if look.mouth == "smile":
        canvas.line(arc(0, y - 8, 19, 13, 15, 165), 5, red)
    elif look.mouth == "line":
        canvas.line([(-15, y), (15, y)], 5, red)
    elif look.mouth == "teeth":
        canvas.polygon(arc(0, y - 6, 20, 17, 0, 180), (110, 26, 32))
        canvas.polygon([(-17, y - 6), (17, y - 6), (13, y + 1), (-13, y + 1)], _WHITE)
    else:
        canvas.ellipse(0, y, 15, 8, (200, 70, 84))
        canvas.line([(-14, y), (14, y)], 2, shade(skin, 0.4))


def _nose(canvas: Canvas, look: Look, skin: Color) -> None:
    dark = shade(skin, 0.68)
    if look.nose == "long":
        canvas.polygon([(-2, -6), (3, -6), (10, 22), (-8, 22)], dark)
    elif look.nose == "wide":
        canvas.ellipse(0, 17, 15, 8, dark)
    else:
        canvas.ellipse(0, 16, 7, 6, dark)


def _eyes(canvas: Canvas, look: Look, rx: float, hair: Color) -> None:
    x = 0.42 * rx
    thickness = {"thin": 4, "thick": 10, "slanted": 6}[look.brows]
    inner, outer = (-15, -25) if look.brows == "slanted" else (-20, -20)
    for side in (-1, 1):
        canvas.ellipse(side * x, _EYES, 12, 9, _WHITE)
        canvas.ellipse(side * x, _EYES, 7.5, 8, EYES[look.eyes])
        canvas.ellipse(side * x, _EYES, 3, 3.5, _INK)
        canvas.line([(side * (x - 13), inner), (side * (x + 13), outer)], thickness, shade(hair, 0.8))


def _hair_in_front(canvas: Canvas, look: Look, rx: float, ry: float) -> None:
    hair = HAIR[look.hair]
    line = _HAIRLINE * ry

    def above(mass: list[Point], left: float, middle: float, right: float) -> None:
        """Draw the part of a mass of hair that is above a hairline given at three places."""
        edge: list[Point] = [(-120, left), (-rx, left), (0, middle), (rx, right), (120, right)]
        canvas.polygon(intersection([*edge, (120, -200), (-120, -200)], mass), hair)

    cap = outline(0, -12, rx + 9, ry + 10, 2.6)
    if look.style in ("short", "topknot"):
        above(cap, line, line - 6, line)
    elif look.style == "afro":
        above(outline(0, -34, rx + 34, ry + 8), line + 14, line - 4, line + 14)
    elif look.style == "long":
        above(cap, line + 26, line - 16, line + 26)
    elif look.style == "parted":
        above(outline(0, -16, rx + 12, ry + 10, 3.0), line + 16, line + 4, line - 24)
    elif look.style == "flattop":
        above(outline(0, -ry + 4, rx + 8, 42, 9.0), line, line, line)
    elif look.style == "mohawk":
        shaved = intersection(outline(0, -2, rx + 2, ry + 2), rectangle(-120, -200, 120, line))
        canvas.polygon(shaved, shade(hair, 0.6))
        canvas.polygon([(-24, line), (-34, -ry - 30), (0, -ry - 40), (34, -ry - 30), (24, line)], hair)
    else:
        spikes: list[Point] = [(-rx - 6, line + 6)]
        for step in range(7):
            x = (step - 3) / 3 * (rx + 8)
            spikes += [(x * 1.12, -ry - (34 if step % 2 else 18)), (x + (rx + 8) / 6, -ry - 2)]
        canvas.polygon([*spikes[:-1], (rx + 6, line + 6), (0, line - 4)], hair)


def _glasses(canvas: Canvas, look: Look, rx: float) -> None:
    x = 0.42 * rx
    if look.glasses == "none":
        return
    color = GLASSES[look.glasses]
    if look.glasses == "mirror":
        frame = outline(0, _EYES, rx * 0.98, 20, 3.4)
        canvas.polygon(frame, color)
        canvas.ring(frame, 5, _INK)
        for left in (-0.6, 0.3):
            canvas.line([(left * rx, _EYES + 8), ((left + 0.2) * rx, _EYES - 10)], 5, _WHITE)
        return
    round_ones = look.glasses == "round"
    for side in (-1, 1):
        frame = outline(side * x, _EYES + 1, 22, 20 if round_ones else 16, 2.0 if round_ones else 6.0)
        if not round_ones:
            canvas.polygon(frame, color)
        canvas.ring(frame, 8, color)
        canvas.line([(side * (x + 19), _EYES - 1), (side * (rx + 4), _EYES - 3)], 8, color)
    canvas.line([(-x + 19, _EYES - 1), (x - 19, _EYES - 1)], 8, color)


def _mark_over(canvas: Canvas, look: Look, rx: float) -> None:
    if look.mark == "scar":
        canvas.line([(0.34 * rx, 2), (0.72 * rx, 34)], 6, (214, 110, 110))
    elif look.mark == "plaster":
        canvas.rectangle(-18, 4, 18, 15, (250, 226, 190))
        canvas.rectangle(-6, 4, 6, 15, (226, 180, 140))
