"""Small random changes to a picture, so that a model learns the subject and not the pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from PIL import Image

from offside_data.seeding import rng

_GREY = (0.299, 0.587, 0.114)
"""How much red, green and blue make up brightness (ITU-R 601)."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random shift, scale, turn, light, contrast and colour; the size stays, so token counts hold.

    What happens to a picture depends on the seed, the epoch and the picture alone, never on what
    came before: a resumed training sees what an undisturbed one would have seen.

    Args:
        seed: Same seed, same changes.
        shift: Largest shift, as a share of width and height.
        scale: Largest change of scale, e.g. 0.08 for 0.92 to 1.08.
        turn: Largest turn in degrees.
        light: Largest change of brightness, contrast and colour, each as a share.
    """

    seed: int
    shift: float = 0.05
    scale: float = 0.08
    turn: float = 3.0
    light: float = 0.1

    def __call__(self, image: Image.Image, key: str, epoch: int) -> Image.Image:
        """Return the picture named `key` as epoch `epoch` shows it."""
        random = rng(self.seed, "augment", epoch, key)
        width, height = image.size
        scale = 1 + random.uniform(-self.scale, self.scale)
        angle = math.radians(random.uniform(-self.turn, self.turn))
        x = width * (0.5 + random.uniform(-self.shift, self.shift))
        y = height * (0.5 + random.uniform(-self.shift, self.shift))
        cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
        # Output pixel to input pixel: turn and scale about (x, y), which comes from the centre.
        matrix = (cos, sin, width / 2 - cos * x - sin * y, -sin, cos, height / 2 + sin * x - cos * y)
        fill = _border_colour(image)
        moved = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill)
        return moved.convert("RGB", self._light_matrix(random, fill))

    def _light_matrix(self, random: Random, mean: tuple[int, ...]) -> tuple[float, ...]:
        """Brightness, contrast and colour as one 3x4 matrix."""
        brightness, contrast, colour = (1 + random.uniform(-self.light, self.light) for _ in range(3))
        grey = sum(weight * value for weight, value in zip(_GREY, mean, strict=True))
        gain = brightness * contrast
        rows: list[float] = []
        for channel in range(3):
            rows += [gain * ((1 - colour) * weight + (colour if i == channel else 0)) for i, weight in enumerate(_GREY)]
            rows.append(brightness * (1 - contrast) * grey)
        return tuple(rows)


def _border_colour(image: Image.Image) -> tuple[int, ...]:
    """The mean of the four corners: what a shift uncovers shouldn't be a black edge."""
    width, height = image.size
    corners = [image.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)]
    return tuple(sum(channel) // 4 for channel in zip(*corners, strict=True))
