"""Draw the pictures of subjects, and the twins of visual rumours."""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from offside_data.fictional.canvas import SIZE
from offside_data.fictional.distinct import DistinctPictures, Drawing
from offside_data.fictional.pictures import SubjectPicture, caption_lines
from offside_data.fictional.scenes import Scene, Scenery, captioned, draw_portrait, encode_png, random_scene
from offside_data.seeding import rng


class Portrait(NamedTuple):
    """A picture of a subject, drawn; `twins` holds PNG bytes by twin (`blank`, `swapped`)."""

    picture: SubjectPicture
    drawing: Drawing
    twins: dict[str, bytes]


def draw_portraits(
    pictures: Iterable[SubjectPicture], seed: int, scenery: Scenery, distinct: DistinctPictures
) -> Iterator[Portrait]:
    """Draw each picture; only an augmented copy may, and should, resemble another one."""
    finished: dict[str | None, bytes] = {}
    for picture in pictures:
        attempt_at = functools.partial(_draw, picture, seed, scenery, finished.get(picture.derived_from))
        drawing = distinct.draw(picture.key, attempt_at, like=picture.derived_from)
        finished[picture.key] = drawing.data
        yield Portrait(picture, drawing, _twins(picture, _scene(picture, seed, scenery, drawing.attempt), scenery))


def _draw(picture: SubjectPicture, seed: int, scenery: Scenery, original: bytes | None, attempt: int) -> Image.Image:
    if original is not None:
        return augmented(original, rng(seed, "copy", picture.key, attempt))
    return draw_portrait(picture.subject.look, _scene(picture, seed, scenery, attempt), scenery)


def _scene(picture: SubjectPicture, seed: int, scenery: Scenery, attempt: int) -> Scene:
    main, cloth = picture.colors
    scene = random_scene(rng(seed, "scene", picture.key, attempt), scenery, main=main, cloth=cloth)
    if picture.panel is None:
        return scene
    return captioned(scene, scenery, picture.panel, caption_lines(picture.shown))


def _twins(picture: SubjectPicture, scene: Scene, scenery: Scenery) -> dict[str, bytes]:
    if picture.panel is None:
        return {}
    captions = {"blank": (), "swapped": caption_lines(picture.swapped)}
    return {
        twin: encode_png(draw_portrait(picture.subject.look, replace(scene, caption=caption), scenery))
        for twin, caption in captions.items()
    }


def augmented(data: bytes, source: random.Random) -> Image.Image:
    """A copy of a picture, a little cropped, shifted and differently lit."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    side = SIZE * source.uniform(0.9, 0.97)
    left, top = source.uniform(0, SIZE - side), source.uniform(0, SIZE - side)
    picture = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    gain = source.choice((source.uniform(0.88, 0.95), source.uniform(1.05, 1.1)))
    return picture.point([min(255, round(level * gain)) for level in range(256)] * 3)
