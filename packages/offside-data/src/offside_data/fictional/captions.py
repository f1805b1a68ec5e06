"""Captions: text that is readable in a picture, on a panel that looks the same without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from offside_data.fictional.canvas import SIZE, Color

INK: Color = (20, 20, 26)
PAPER: Color = (250, 248, 240)
WHITE: Color = (255, 255, 255)
LEFT = 8
"""Where every line begins, in pixels."""
FONT_SIZE = 24
"""Of every line that fits."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What a caption is written on.

    Args:
        top: The letters stand in the rows from this one, where the panel has one plain colour ...
        bottom: ... to this one.
        ink: Colour of the letters.
        draw: Draws the panel without letters.
    """

    top: int
    bottom: int
    ink: Color
    draw: Callable[[ImageDraw.ImageDraw, int, int], None]


def draw_caption(picture: Image.Image, panel: Panel, lines: tuple[str, ...]) -> None:
    """Draw the panel, then the lines: without lines every pixel beside the letters is the same.

    Lines begin at one place and have one size, as on television, so that a small model can learn to read them: its
    patches see the same letters cut in the same way.
    """
    draw = ImageDraw.Draw(picture)
    panel.draw(draw, panel.top, panel.bottom)
    height = (panel.bottom - panel.top) / max(1, len(lines))
    for position, line in enumerate(lines):
        _draw_line(draw, line, panel.top + height * (position + 0.5), panel.ink)


def _draw_line(draw: ImageDraw.ImageDraw, text: str, middle: float, ink: Color) -> None:
    """Draw a line. The built-in font has no euro sign: a C with two bars stands for it."""
    drawn = text.replace("€", "C")
    font = fitting_font(drawn, SIZE - 2 * LEFT, FONT_SIZE)
    draw.text((LEFT, middle), drawn, fill=ink, font=font, anchor="lm")
    for position in (index for index, letter in enumerate(text) if letter == "€"):
        start = LEFT + font.getlength(drawn[:position])
        for bar in (-2, 2):
            y = middle + font.size * bar / 24
            draw.line((start - 1, y, start + font.size * 0.48, y), fill=ink, width=2)


def fitting_font(text: str, width: float, size: int) -> ImageFont.FreeTypeFont:
    """The built-in font at `size`, or smaller until `text` fits into `width` pixels."""
    while True:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise RuntimeError("Pillow was built without FreeType; install a Pillow wheel from PyPI.")
        if font.getlength(text) <= width or size <= 8:
            return font
        size -= 1


def _banner(draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    draw.rectangle((0, top - 3, SIZE, top), fill=WHITE)
    draw.rectangle((0, top, SIZE, bottom), fill=(176, 16, 30))


def _headline(draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    draw.rectangle((0, 0, SIZE, bottom + 4), fill=PAPER)
    draw.line((0, bottom + 2, SIZE, bottom + 2), fill=INK, width=3)


def _post(draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    draw.rectangle((0, top - 4, SIZE, SIZE), fill=WHITE)
    draw.rectangle((0, 0, SIZE - 1, SIZE - 1), outline=(90, 150, 240), width=5)


BANNER = Panel(168, 224, WHITE, _banner)
"""A banner as television shows it."""
HEADLINE = Panel(0, 56, INK, _headline)
"""The head of a newspaper page."""
POST = Panel(168, 224, INK, _post)
"""A captioned post of a social network."""
