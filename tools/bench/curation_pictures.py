"""Pictures of the invented league of `curation.py`: many, quickly, each another one, the same again for a seed.

A picture is a coarse random pattern, blown up, with ellipses on it and a noise over all: 640 x 480 pixels, a JPEG of
about 30 KB, in 4 ms. Nothing of it is to be recognised; what counts is what reading, hashing and storing it costs.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from measure import die_with_parent
from PIL import Image, ImageDraw

from offside_data.progress import track

SIZE = (640, 480)
QUALITY = 75
A_SUBJECT = 7
"""Pictures of one subject."""
DERIVED = 5
"""Place among a subject's pictures of the one that is an altered copy of its first, and says so."""
NEAR, NEAR_EVERY = 2, 40
"""Of every so many subjects, one has at this place a recompressed copy of the picture before, and doesn't say so."""
_ELLIPSES = 10
_GRAIN = 0.08
_A_FOLDER = 1_000
_CHUNK = 64


def picture_name(number: int) -> str:
    """A picture's path in the source; a thousand lie in a folder."""
    return f"pictures/{number // _A_FOLDER:04d}/{number:07d}.jpg"


def origin_of(number: int) -> int:
    """The picture that a picture is a copy of; itself if it is none."""
    subject, place = divmod(number, A_SUBJECT)
    if place == DERIVED:
        return number - DERIVED
    return number - 1 if place == NEAR and subject % NEAR_EVERY == NEAR_EVERY - 1 else number


def draw(seed: int, number: int) -> Image.Image:
    """A picture, another one for each number."""
    source = np.random.default_rng([seed, number])
    coarse = source.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(picture)
    limits = (*SIZE, 180, 180, 256, 256, 256)
    for x, y, width, height, *color in source.integers(0, limits, (_ELLIPSES, len(limits))).tolist():
        canvas.ellipse((x, y, x + 20 + width, y + 20 + height), fill=tuple(color))
    left, top = source.integers(0, SIZE).tolist()
    return Image.blend(picture, _grain().crop((left, top, left + SIZE[0], top + SIZE[1])), _GRAIN)


@functools.cache
def _grain() -> Image.Image:
    """Noise, twice as wide and high as a picture, that each picture takes another part of."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((2 * SIZE[0], 2 * SIZE[1]), Image.Resampling.BILINEAR)


def draw_file(folder: Path, seed: int, number: int) -> None:
    """Write a picture, whole or not at all."""
    origin, quality = origin_of(number), QUALITY
    picture = draw(seed, origin)
    if number % A_SUBJECT == DERIVED:
        picture = picture.point([min(255, round(level * 1.12)) for level in range(256)] * 3)
    elif origin != number:
        quality = 40
    path = folder / picture_name(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    picture.save(partial, "JPEG", quality=quality)
    os.replace(partial, path)


def draw_files(folder: Path, seed: int, number: int, workers: int) -> int:
    """Write so many pictures; those that are there aren't drawn again. Returns how many were drawn."""
    missing = [n for n in range(number) if not (folder / picture_name(n)).exists()]
    if missing:
        for _ in track(_drawn(folder, seed, missing, workers), "drawing", total=len(missing)):
            pass
    return len(missing)


def _drawn(folder: Path, seed: int, numbers: list[int], workers: int) -> Iterator[None]:
    if len(numbers) <= _CHUNK:  # Sooner done than processes are started.
        for number in numbers:
            draw_file(folder, seed, number)
            yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=die_with_parent) as pool:
        work = functools.partial(draw_file, folder, seed)
        yield from pool.map(work, numbers, chunksize=_CHUNK)
