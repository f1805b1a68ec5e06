"""Draw a portrait: a person, and what changes from picture to picture (kit, pose, light, place, caption)."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont

from offside_data.fictional.canvas import SIZE, Canvas, Color, Point, intersection, outline, rectangle, shade
from offside_data.fictional.faces import draw_head
from offside_data.fictional.looks import SKIN, Look

PALETTE: dict[str, Color] = {
    "white": (250, 250, 250),
    "slate": (112, 118, 128),
    "navy": (18, 36, 112),
    "pine": (10, 90, 80),
    "wine": (118, 16, 48),
    "sky": (142, 198, 248),
    "lemon": (252, 240, 142),
    "rose": (250, 172, 190),
    "silver": (190, 194, 202),
    "charcoal": (44, 46, 52),
    "mint": (166, 232, 196),
    "lilac": (206, 178, 244),
}
"""Colours of kits and backgrounds: muted, so that the strong colours in a picture are the person's."""
MAIN_COLORS = ("white", "slate", "navy", "pine", "wine", "sky", "lemon", "rose")
"""Those that tell pictures of one person apart: no two are easily taken for each other."""
PLACES = ("halves", "diagonal", "stands", "bands", "rays", "blobs", "boards", "corners")
LAYOUTS = ("banner", "headline", "post")
"""How a visual rumour shows its caption: a television banner, a newspaper headline, a captioned post."""

_INK: Color = (20, 20, 26)
_PAPER: Color = (250, 248, 240)
CAPTION_BOX: dict[str, tuple[int, int]] = {"banner": (164, 216), "headline": (6, 66), "post": (160, 220)}
"""Between which rows of the picture the letters of a caption stand, by layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What varies from picture to picture, independently of who is shown.

    Args:
        kit: Names in `PALETTE` of the shirt's two colours.
        pattern: One of `PATTERNS`.
        place: One of `PLACES`, the background.
        colors: Names in `PALETTE` of the background's colours.
        x: Where the middle of the face is, in pixels.
        y: Likewise from the top.
        scale: Size of the person; 1 is a face of about 100 by 130 pixels.
        degrees: Tilt, clockwise.
        lit_from: -1 light from the left, 1 from the right, 0 from the front.
        light: Factors on red, green and blue.
        detail: Seed of the background's details.
        layout: One of `LAYOUTS` if the picture has a caption, else null.
        caption: Lines of the caption; none on a blank twin.
    """

    kit: tuple[str, str]
    pattern: str
    place: str
    colors: tuple[str, str, str]
    x: float
    y: float
    scale: float
    degrees: float
    lit_from: int
    light: tuple[float, float, float]
    detail: int
    layout: str | None = None
    caption: tuple[str, ...] = ()


def random_scene(source: random.Random, *, main: str | None = None, shirt: str | None = None) -> Scene:
    """A scene drawn from `source`, with a given main colour of the background and of the shirt if wanted."""
    shirt = shirt or source.choice(tuple(PALETTE))
    main = main or source.choice(MAIN_COLORS)
    second = source.choice([name for name in PALETTE if name != shirt])
    third, fourth = source.sample([name for name in PALETTE if name != main], 2)
    gain, warmth = source.uniform(0.9, 1.1), source.uniform(-0.04, 0.04)
    return Scene(
        kit=(shirt, second),
        pattern=source.choice(PATTERNS),
        place=source.choice(PLACES),
        colors=(main, third, fourth),
        x=112 + source.uniform(-10, 10),
        y=104 + source.uniform(-6, 6),
        scale=1.0 * source.uniform(0.95, 1.05),
        degrees=source.uniform(-6, 6),
        lit_from=source.choice((-1, 0, 1)),
        light=(gain * (1 + warmth), gain, gain * (1 - warmth)),
        detail=source.getrandbits(32),
    )


def captioned(scene: Scene, layout: str, caption: tuple[str, ...]) -> Scene:
    """The scene with the person smaller, beside a caption."""
    top, bottom = CAPTION_BOX[layout]
    middle = top / 2 + 6 if top > SIZE / 2 else (SIZE + bottom) / 2
    return replace(scene, y=middle, scale=scene.scale * 0.85, layout=layout, caption=caption)


def draw_portrait(look: Look, scene: Scene) -> Image.Image:
    """The picture of a person in a scene."""
    first, second, third = (PALETTE[name] for name in scene.colors)
    canvas = Canvas(first)
    _BACKGROUNDS[scene.place](canvas, second, third, random.Random(scene.detail))
    canvas.place(scene.x, scene.y, scene.scale, scene.degrees)
    _draw_torso(canvas, look, scene)
    draw_head(canvas, look, lit_from=scene.lit_from)
    picture = canvas.finish()
    picture = picture.point([min(255, round(level * factor)) for factor in scene.light for level in range(256)])
    if scene.layout:
        _draw_caption(picture, scene.layout, scene.caption)
    return picture


def encode_png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes; the same for the same Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_torso(canvas: Canvas, look: Look, scene: Scene) -> None:
    shirt, second = (PALETTE[name] for name in scene.kit)
    torso: list[Point] = [(-30, 70), (-104, 96), (-122, 240), (122, 240), (104, 96), (30, 70)]
    canvas.polygon(torso, shirt)
    for part in _PATTERN_PARTS[scene.pattern]:
        canvas.polygon(intersection(part, torso), second)
    canvas.ring(torso, 3, shade(shirt, 0.6))
    canvas.polygon([(-24, 40), (24, 40), (30, 76), (0, 92), (-30, 76)], shade(SKIN[look.skin], 0.74))


_PATTERN_PARTS: dict[str, list[list[Point]]] = {
    "plain": [],
    "stripes": [rectangle(left, 60, left + 28, 250) for left in (-100, -44, 14, 70)],
    "hoops": [rectangle(-130, top, 130, top + 22) for top in (86, 130, 174)],
    "halves": [rectangle(0, 60, 130, 250)],
    "sash": [[(-110, 70), (-70, 70), (90, 220), (50, 220)]],
    "chevron": [[(-130, 84), (0, 132), (130, 84), (130, 114), (0, 164), (-130, 114)]],
}
PATTERNS = tuple(_PATTERN_PARTS)


def _halves(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    width = source.uniform(40, 84)
    left = source.choice((0, SIZE - width))
    canvas.rectangle(left, 0, left + width, SIZE, second)
    canvas.ellipse(source.uniform(0, SIZE), source.uniform(0, 110), 30, 30, third)


def _diagonal(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    start, end = source.uniform(-40, SIZE + 40), source.uniform(-40, SIZE + 40)
    canvas.line([(start, -9), (end, SIZE + 9)], source.uniform(30, 60), second)
    canvas.line([(start + 50, -9), (end + 50, SIZE + 9)], source.uniform(8, 20), third)


def _stands(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    rows = source.randint(4, 9)
    for row in range(rows):
        for seat in range(16):
            canvas.ellipse(seat * 15 + (row % 2) * 7, row * 14 + 7, 5, 5, source.choice((second, second, third)))
    canvas.rectangle(0, rows * 14 + 4, SIZE, rows * 14 + 12, second)


def _bands(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    for color, height in ((second, source.uniform(20, 46)), (third, source.uniform(10, 26))):
        top = source.uniform(-10, 150)
        canvas.rectangle(0, top, SIZE, top + height, color)


def _rays(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    x, y = source.uniform(0, SIZE), source.uniform(0, SIZE)
    rim = outline(x, y, 330, 330, corners=72)
    start = source.randrange(12)
    for ray in range(6):
        index = (start + ray * 12) % 72
        canvas.polygon([(x, y), rim[index], rim[(index + 4) % 72]], third if ray == 0 else second)


def _blobs(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    for blob in range(7):
        size = source.uniform(14, 40)
        color = third if blob > 4 else second
        canvas.ellipse(source.uniform(0, SIZE), source.uniform(0, SIZE), size, size, color)


def _boards(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    size = source.choice((38, 45, 56))
    for row in range(SIZE // size + 1):
        for column in range(SIZE // size + 1):
            if source.random() < 0.35:
                left, top = column * size, row * size
                canvas.rectangle(left, top, left + size, top + size, source.choice((second, second, third)))


def _corners(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    for x, y in source.sample(((0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE), (0, 112), (SIZE, 112)), 3):
        size = source.uniform(36, 76)
        canvas.polygon(outline(x, y, size, size, source.choice((2.0, 6.0, 1.2))), source.choice((second, third)))


_BACKGROUNDS: dict[str, Callable[[Canvas, Color, Color, random.Random], None]] = {
    "halves": _halves,
    "diagonal": _diagonal,
    "stands": _stands,
    "bands": _bands,
    "rays": _rays,
    "blobs": _blobs,
    "boards": _boards,
    "corners": _corners,
}


def _draw_caption(picture: Image.Image, layout: str, lines: tuple[str, ...]) -> None:
    """Draw the caption's panel, then its lines: without lines every pixel beside them is the same."""
    draw = ImageDraw.Draw(picture)
    top, bottom = CAPTION_BOX[layout]
    ink = _INK
    if layout == "banner":
        ink = (255, 255, 255)
        draw.rectangle((0, top, SIZE, bottom), fill=(176, 16, 30))
        draw.rectangle((0, bottom, SIZE, bottom + 3), fill=(255, 255, 255))
    elif layout == "headline":
        draw.rectangle((0, 0, SIZE, bottom + 4), fill=_PAPER)
        draw.line((0, bottom + 2, SIZE, bottom + 2), fill=_INK, width=3)
    else:
        draw.rectangle((0, top - 4, SIZE, SIZE), fill=(255, 255, 255))
        draw.rectangle((0, 0, SIZE - 1, SIZE - 1), outline=(90, 150, 240), width=5)
    height = (bottom - top) / max(1, len(lines))
    for position, line in enumerate(lines):
        _draw_line(draw, line, top + height * (position + 0.5), ink)


def _draw_line(draw: ImageDraw.ImageDraw, text: str, middle: float, ink: Color) -> None:
    """Draw a centred line. The built-in font has no euro sign: a C with two bars stands for it."""
    drawn = text.replace("€", "C")
    font = fitting_font(drawn, SIZE - 16, 27)
    left = (SIZE - font.getlength(drawn)) / 2
    draw.text((left, middle), drawn, fill=ink, font=font, anchor="lm")
    for position in (index for index, letter in enumerate(text) if letter == "€"):
        start = left + font.getlength(drawn[:position])
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
