"""The second look: whether two pictures with near hashes really show the same.

A hash of 64 bits isn't enough to call two pictures one: different pictures share it. So both are brought to one
small size and must agree twice: in another, longer hash (dHash, 16 x 16 bits) and pixel by pixel (correlation of the
colours, which brightness and contrast don't change). If they don't as they are, one is laid over the other first
(`alignment`), which forgives a small crop or turn; then the pixels must agree better.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from offside_data.dedup.alignment import MIN_OVERLAP, align, warped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 64
"""Pixels a side to which both pictures are brought."""
HASH_SIDE = 16
"""The second hash has this many bits by as many."""


@dataclass(frozen=True, kw_only=True)
class SecondLook:
    """Limits of the second look. `docs/deduplication.md` shows what they were chosen by.

    Args:
        max_bits: Bits of 256 in which the second hashes may differ.
        min_correlation: Of the pixels as they are.
        min_aligned: Of the pixels after one picture was laid over the other.
        min_contrast: Standard deviation of the grey levels (of 255) below which a picture shows nothing to compare.
    """

    max_bits: int = 48
    min_correlation: float = 0.95
    min_aligned: float = 0.97
    min_contrast: float = 2.0

    def compare(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> SecondLookResult:
        """Look at two pictures as `small_picture` gives them."""
        first, second = a.astype(float), b.astype(float)
        grey, other = _grey(first), _grey(second)
        if min(grey.std(), other.std()) < self.min_contrast:
            return SecondLookResult(same=False, bits=_differing(grey, other), correlation=0.0)
        plain = SecondLookResult(same=False, bits=_differing(grey, other), correlation=_correlation(first, second))
        if plain.correlation >= self.min_correlation and plain.bits <= self.max_bits:
            return dataclasses.replace(plain, same=True)
        found = align(grey, other)
        if found is None:
            return plain
        laid, inside = warped(second, found)
        if inside.mean() < MIN_OVERLAP:
            return plain
        outside = ~inside
        for levels in (first, laid):
            levels[outside] = levels[inside].mean()
        second_look = SecondLookResult(
            same=False,
            bits=_differing(_grey(first), _grey(laid)),
            correlation=_correlation(first[inside], laid[inside]),
            aligned=True,
        )
        if second_look.correlation >= self.min_aligned and second_look.bits <= self.max_bits:
            return dataclasses.replace(second_look, same=True)
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLookResult:
    """What the second look found.

    Args:
        same: Whether both show the same.
        bits: In how many of 256 bits the second hashes differ.
        correlation: Of the pixels, from -1 to 1; 0 where one shows nothing to compare.
        aligned: Whether one was laid over the other first.
    """

    same: bool
    bits: int
    correlation: float
    aligned: bool = False


def small_picture(data: bytes, where: str) -> NDArray[np.uint8]:
    """A picture as the second look sees it: RGB, shape (64, 64, 3), whatever its proportions.

    Args:
        data: Encoded bytes.
        where: Name of the picture in errors.

    Raises:
        PictureError: If it can't be decoded.
    """
    import numpy as np

    from offside_data.images.decode import open_image, reduce_jpeg, shown_pixels

    with open_image(data, where) as picture:
        reduce_jpeg(picture, "RGB", 2 * SIDE)
        picture.load()
        pixels = shown_pixels(picture, where)
    return np.asarray(pixels.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0))


def _grey(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    grey: NDArray[np.float64] = levels @ np.array([0.299, 0.587, 0.114])
    return grey


def _differing(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    return int((_steps(a) != _steps(b)).sum())


def _steps(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """dHash: whether it gets brighter from left to right, shape (16, 16)."""
    import numpy as np

    size = (HASH_SIDE + 1, HASH_SIDE)
    small = Image.fromarray(grey.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    levels = np.asarray(small)
    brighter: NDArray[np.bool_] = levels[:, 1:] > levels[:, :-1]
    return brighter


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of all levels of all channels: another colour counts, another brightness doesn't."""
    import numpy as np

    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else 0.0
