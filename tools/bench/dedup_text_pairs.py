"""Pairs of pictures that differ only in the text they show: drawn screenshots, and photos with a banner.

Templates, sizes, fonts, colours and places vary with the seed; the two pictures of a pair have all of it in common.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "a digit": (
        *(("35", "53"), ("€35m", "€36m"), ("1.81 m", "1.87 m"), ("2027", "2029"), ("No. 8", "No. 3")),
        *(("30 June", "20 June"), ("6", "8"), ("10m", "16m"), ("1:0", "1:1")),
    ),
    "a word": (
        *(("JOINS", "STAYS"), ("FC VARNHAVN", "SK OSTHOLM"), ("Kjell", "Kjetil"), ("Monday", "Friday")),
        *(("signs", "denies"), ("has agreed", "has not agreed"), ("now", "not"), ("35 million", "53 billion")),
    ),
}
"""What is written in the first picture of a pair, and what instead of it in the second."""
_LINES = (
    *("Ada Vest joins FC Varnhavn", "The fee is agreed", "Medical on Monday", "Posted by transfer news"),
    *("He signs until 2027", "Source: club office", "Contract runs for four years"),
)
_SENTENCES = (
    *("Fee agreed: {}", "BREAKING: {}", "Sources say {}", "{}", "Transfer: {} today", "Deal done, {} confirmed"),
)
_SIZES = ((500, 300), (800, 600), (1080, 1350), (720, 1280), (1200, 630), (400, 400))
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
_SMALLEST = 11
"""Pixels of the smallest font."""

Draw = Callable[[str], Image.Image]


@dataclass(frozen=True)
class TextPair:
    """Two pictures that differ only in their text.

    Args:
        kind: Of picture and of change, e.g. `screenshot, a digit`.
        first: One of them.
        second: The other.
    """

    kind: str
    first: Image.Image
    second: Image.Image


def text_pairs(photos: Mapping[str, Image.Image], number: int, source: random.Random) -> Iterator[TextPair]:
    """So many pairs of each kind.

    Args:
        photos: What banners are written on.
        number: Pairs of each kind.
        source: Makes them vary.
    """
    names = sorted(photos)
    for change, words in CHANGES.items():
        for _ in range(number):
            before, after = source.choice(words)
            draw = _screenshot(source)
            yield TextPair(f"screenshot, {change}", draw(before), draw(after))
            draw = _banner(source, photos[source.choice(names)])
            yield TextPair(f"banner on a photo, {change}", draw(before), draw(after))


def _font(source: random.Random, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    name = source.choice((*_FONTS, ""))
    if not name:
        return ImageFont.load_default(size)
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def _screenshot(source: random.Random) -> Draw:
    width, height = source.choice(_SIZES)
    size = max(_SMALLEST, int(min(width, height) * source.choice((0.04, 0.055, 0.08))))
    dark = source.random() < 0.3
    ground = (21, 32, 43) if dark else source.choice(((255, 255, 255), (245, 245, 240)))
    ink = (230, 230, 230) if dark else source.choice(((0, 0, 0), (60, 60, 60), (110, 110, 110)))
    bar = (source.randrange(256), source.randrange(256), source.randrange(256))
    font, avatar, sentence = _font(source, size), source.random() < 0.5, source.choice(_SENTENCES)
    lines: list[str] = [source.choice(_LINES) for _ in range(source.randrange(3, 7))]
    place = source.randrange(len(lines))

    def draw(word: str) -> Image.Image:
        picture = Image.new("RGB", (width, height), ground)
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, width, height // 10), fill=bar)
        if avatar:
            pen.ellipse((width - width // 6, height // 8, width - width // 30, height // 4), fill=bar)
        for number, line in enumerate(lines):
            text = sentence.format(word) if number == place else line
            pen.text((width // 25, height // 8 + number * int(size * 1.7)), text, font=font, fill=ink)
        return picture

    return draw


def _banner(source: random.Random, photo: Image.Image) -> Draw:
    scale = source.choice((320, 512, 900, 1400)) / max(photo.size)
    shown = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)
    width, height = shown.size
    size = max(_SMALLEST, int(min(width, height) * source.choice((0.05, 0.07, 0.1))))
    font, sentence = _font(source, size), source.choice(_SENTENCES)
    ground, style = source.choice(((200, 0, 0), (0, 0, 0), (20, 60, 160), (255, 255, 255))), source.randrange(3)
    top = int(height * source.choice((0.02, 0.45, 0.86)))
    ink = (0, 0, 0) if min(ground) == 255 and style < 2 else (255, 255, 255)

    def draw(word: str) -> Image.Image:
        picture = shown.copy()
        pen = ImageDraw.Draw(picture, "RGBA")
        if style < 2:  # A box, opaque or not; else letters with an edge.
            pen.rectangle((0, top, width, top + int(size * 1.5)), fill=(*ground, 255 if style else 140))
        edge = max(1, size // 12) if style == 2 else 0
        place = (width // 30, top + size // 6)
        pen.text(place, sentence.format(word), font=font, fill=ink, stroke_width=edge, stroke_fill=(0, 0, 0))
        return picture

    return draw
