"""Is a picture worth showing: large enough, not blank, dark, blurred or of an extreme shape.

Measured on a reduced copy by what Pillow and NumPy offer, so that looking costs little more than decoding. What counts
as poor is data, `quality.yaml`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from PIL import Image

from offside_data.images.decode import open_image, orientation, reduce_jpeg, shown_pixels

LONGEST = 256
"""Longest side, in pixels, of the copy that is measured."""
_LEAST = 128
"""To this shorter side a JPEG may be reduced while it is decoded."""
_LYING = 5
_NEAR = 4
"""Grey levels around the most frequent one that count as the same colour."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of a picture.

    Args:
        width: In pixels, as a viewer shows it.
        height: The same.
        contrast: Standard deviation of the grey levels, of 255.
        brightest: The grey level that 99 % of the pixels don't exceed.
        one_level: Share of the pixels whose grey level is about the most frequent one.
        sharpness: Standard deviation of what a Laplace filter leaves, as a share of the contrast.
    """

    width: int
    height: int
    contrast: float
    brightest: float
    one_level: float
    sharpness: float

    @property
    def shorter_side(self) -> int:
        """In pixels."""
        return min(self.width, self.height)

    @property
    def shape(self) -> float:
        """The longer side as a multiple of the shorter one."""
        return max(self.width, self.height) / self.shorter_side

    def to_row(self) -> list[float]:
        """The measures as plain numbers."""
        return [float(value) for value in dataclasses.astuple(self)]

    @classmethod
    def from_row(cls, row: list[float]) -> Quality:
        """What `to_row` gave."""
        width, height, *rest = row
        return cls(int(width), int(height), *rest)


def measure(data: bytes, where: str) -> Quality:
    """Decode a picture, a JPEG at a fraction of its size, and measure it.

    Raises:
        PictureError: If it can't be decoded; `where` names it.
    """
    with open_image(data, where) as picture:
        width, height = picture.size if orientation(picture) < _LYING else reversed(picture.size)
        reduce_jpeg(picture, "L", _LEAST)
        picture.load()
        # Most are JPEGs, decoded as grey: RGB and back would give the same.
        is_shown = picture.mode == "L" and orientation(picture) == 1 and not picture.has_transparency_data
        grey = picture.copy() if is_shown else shown_pixels(picture, where).convert("L")
    grey.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    counts = grey.histogram()
    contrast = _spread(counts)
    left = _spread(_filtered(grey).histogram())
    return Quality(
        width=width,
        height=height,
        contrast=round(contrast, 2),
        brightest=float(_quantile(counts, 0.99)),
        one_level=round(_around_the_mode(counts) / sum(counts), 4),
        sharpness=round(left / contrast, 4) if contrast else 0.0,
    )


def faults(quality: Quality) -> Iterator[tuple[str, str]]:
    """Name and description of everything that is poor about a picture."""
    for name, rule in _rules().items():
        value = getattr(quality, rule["measure"])
        if value < rule.get("below", value) or value > rule.get("above", value):
            size = {"width": quality.width, "height": quality.height}
            yield name, rule["message"].format(value=value, **size)
            if rule.get("enough"):
                return


@functools.cache
def _rules() -> Mapping[str, Mapping[str, Any]]:
    text = files("offside_data.images").joinpath("quality.yaml").read_text(encoding="utf-8")
    rules: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return rules


def _filtered(grey: Image.Image) -> Image.Image:
    """What a Laplace filter leaves of a picture, where it reaches; of one without an inside, the picture.

    As `Image.filter` with the kernel 0 1 0, 1 -4 1, 0 1 0, a scale of 4 and an offset of 128, in a third of its time.
    """
    if min(grey.size) <= 2:
        return grey
    levels = np.asarray(grey, np.int16)
    found = levels[:-2, 1:-1] + levels[2:, 1:-1]
    found += levels[1:-1, :-2]
    found += levels[1:-1, 2:]
    found -= levels[1:-1, 1:-1] * 4
    found += 4 * 128 + 2  # The 2 rounds.
    found >>= 2
    return Image.fromarray(found.clip(0, 255).astype(np.uint8))


def _spread(counts: list[int]) -> float:
    """Standard deviation of so many pixels a level, as `ImageStat.Stat` has it, in a fifth of its time."""
    levels, many = np.arange(len(counts)), np.array(counts)
    number, total, squares = (int(sums) for sums in (many.sum(), many @ levels, many @ levels**2))
    return math.sqrt((squares - total**2.0 / number) / number)


def _quantile(counts: list[int], share: float) -> int:
    """The level up to which so large a share of the pixels lies."""
    left = share * sum(counts)
    for level, count in enumerate(counts):
        left -= count
        if left <= 0:
            return level
    return len(counts) - 1


def _around_the_mode(counts: list[int]) -> int:
    mode = max(range(len(counts)), key=counts.__getitem__)
    return sum(counts[max(0, mode - _NEAR) : mode + _NEAR + 1])
