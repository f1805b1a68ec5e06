"""Draw a portrait: a person, and what changes from picture to picture (clothes, pose, light, place, caption)."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from offside_data.fictional.canvas import SIZE, Canvas, Color, Point, intersection, shade
from offside_data.fictional.captions import Panel, draw_caption
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
"""Colours of clothes and backgrounds: muted, so that the strong colours in a picture are the person's."""
MAIN_COLORS = ("white", "slate", "navy", "pine", "wine", "sky", "lemon", "rose")
"""Those that tell pictures of one person apart: no two are easily taken for each other."""
TORSO: tuple[Point, ...] = ((-30, 70), (-104, 96), (-122, 240), (122, 240), (104, 96), (30, 70))
"""Outline of a person below the neck, where the middle of the face is (0, 0)."""

Outfit = Callable[[Canvas, Color, Color], None]
"""Draws what a person wears below the neck, in two colours; the first must be the larger part."""
Place = Callable[[Canvas, Color, Color, random.Random], None]
"""Draws what is behind a person onto a background of one colour, in two others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """What pictures of a world can show beside a person.

    Args:
        outfits: What people wear, by name.
        places: Where they are, by name. Places that differ boldly give pictures that no hash takes for
            duplicates of each other.
        panels: How visual rumours show their caption, by name.
    """

    outfits: Mapping[str, Outfit]
    places: Mapping[str, Place]
    panels: Mapping[str, Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What varies from picture to picture, independently of who is shown.

    Args:
        cloth: Names in `PALETTE` of the outfit's two colours.
        outfit: Name of an outfit of the scenery.
        place: Name of a place of the scenery, the background.
        colors: Names in `PALETTE` of the background's colours.
        x: Where the middle of the face is, in pixels.
        y: Likewise from the top.
        scale: Size of the person; 1 is a face of about 100 by 130 pixels.
        degrees: Tilt, clockwise.
        lit_from: -1 light from the left, 1 from the right, 0 from the front.
        light: Factors on red, green and blue.
        detail: Seed of the background's details.
        panel: Name of a panel of the scenery if the picture has a caption, else null.
        caption: Lines of the caption; none on a blank twin.
    """

    cloth: tuple[str, str]
    outfit: str
    place: str
    colors: tuple[str, str, str]
    x: float
    y: float
    scale: float
    degrees: float
    lit_from: int
    light: tuple[float, float, float]
    detail: int
    panel: str | None = None
    caption: tuple[str, ...] = ()


def random_scene(
    source: random.Random, scenery: Scenery, *, main: str | None = None, cloth: str | None = None
) -> Scene:
    """A scene drawn from `source`, with a given main colour of the background and of the clothes if wanted."""
    cloth = cloth or source.choice(tuple(PALETTE))
    main = main or source.choice(MAIN_COLORS)
    second = source.choice([name for name in PALETTE if name != cloth])
    third, fourth = source.sample([name for name in PALETTE if name != main], 2)
    gain, warmth = source.uniform(0.9, 1.1), source.uniform(-0.04, 0.04)
    return Scene(
        cloth=(cloth, second),
        outfit=source.choice(tuple(scenery.outfits)),
        place=source.choice(tuple(scenery.places)),
        colors=(main, third, fourth),
        x=112 + source.uniform(-10, 10),
        y=104 + source.uniform(-6, 6),
        scale=1.0 * source.uniform(0.95, 1.05),
        degrees=source.uniform(-6, 6),
        lit_from=source.choice((-1, 0, 1)),
        light=(gain * (1 + warmth), gain, gain * (1 - warmth)),
        detail=source.getrandbits(32),
    )


def captioned(scene: Scene, scenery: Scenery, panel: str, caption: tuple[str, ...]) -> Scene:
    """The scene with the person smaller, beside a caption."""
    top, bottom = scenery.panels[panel].top, scenery.panels[panel].bottom
    middle = top / 2 + 6 if top > SIZE / 2 else (SIZE + bottom) / 2
    return replace(scene, y=middle, scale=scene.scale * 0.85, panel=panel, caption=caption)


def draw_portrait(look: Look, scene: Scene, scenery: Scenery) -> Image.Image:
    """The picture of a person in a scene."""
    first, second, third = (PALETTE[name] for name in scene.colors)
    canvas = Canvas(first)
    scenery.places[scene.place](canvas, second, third, random.Random(scene.detail))
    canvas.place(scene.x, scene.y, scene.scale, scene.degrees)
    scenery.outfits[scene.outfit](canvas, *(PALETTE[name] for name in scene.cloth))
    canvas.polygon([(-24, 40), (24, 40), (30, 76), (0, 92), (-30, 76)], shade(SKIN[look.skin], 0.74))
    draw_head(canvas, look, lit_from=scene.lit_from)
    picture = canvas.finish()
    picture = picture.point([min(255, round(level * factor)) for factor in scene.light for level in range(256)])
    if scene.panel:
        draw_caption(picture, scenery.panels[scene.panel], scene.caption)
    return picture


def draw_torso(canvas: Canvas, color: Color, parts: Iterable[Sequence[Point]], part_color: Color) -> None:
    """Fill the torso, then those parts of it in another colour, then draw its outline."""
    canvas.polygon(TORSO, color)
    for part in parts:
        canvas.polygon(intersection(part, TORSO), part_color)
    canvas.ring(TORSO, 3, shade(color, 0.6))


def encode_png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes; the same for the same Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
