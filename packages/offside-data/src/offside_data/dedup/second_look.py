"""The second look: whether two pictures with near hashes really show the same.

A hash of 64 bits isn't enough to call two pictures one: different pictures share it. So both are brought to one
small size and must agree twice: in another, longer hash (dHash, 16 x 16 bits) and pixel by pixel (correlation of the
colours, which brightness and contrast don't change). If they don't as they are, one is laid over the other first
(`alignment`), which forgives a small crop or turn; then the pixels must agree better.

Pictures that agree as a whole may still say different things: one template with another number in it. So they are
compared in detail, too (`spots`). Where they differ in some place, they are *look-alikes*: not the same, and for a
person to tell.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from offside_data.dedup.alignment import MIN_OVERLAP, align, warped
from offside_data.dedup.spots import LONGEST, Spot, SpotLimits, detail_of, differences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 64
"""Pixels a side to which both pictures are brought."""
HASH_SIDE = 16
"""The second hash has this many bits by as many."""
TURNS = {
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "upside down and mirrored": Image.Transpose.FLIP_TOP_BOTTOM,
    "a quarter turned left": Image.Transpose.ROTATE_90,
    "upside down": Image.Transpose.ROTATE_180,
    "a quarter turned right": Image.Transpose.ROTATE_270,
    "a quarter turned left and mirrored": Image.Transpose.TRANSPOSE,
    "a quarter turned right and mirrored": Image.Transpose.TRANSVERSE,
}
"""How a copy may be turned or mirrored, in words."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the second look sees it.

    Args:
        small: RGB, shape (64, 64, 3), whatever its proportions.
        detail: Grey, large enough to read; see `spots.detail_of`.
    """

    small: NDArray[np.uint8]
    detail: Image.Image

    def turned(self, turn: str) -> Seen:
        """The same picture turned or mirrored, one of `TURNS`; itself if that is empty."""
        import numpy as np

        if not turn:
            return self
        way = TURNS[turn]
        return Seen(np.asarray(Image.fromarray(self.small).transpose(way)), self.detail.transpose(way))


@dataclass(frozen=True, kw_only=True)
class SecondLook:
    """Limits of the second look. `docs/deduplication.md` shows what they were chosen by.

    Args:
        max_bits: Bits of 256 in which the second hashes may differ.
        min_correlation: Of the pixels as they are.
        min_aligned: Of the pixels after one picture was laid over the other.
        min_contrast: Standard deviation of the grey levels (of 255) below which a picture shows nothing to compare.
        spots: What counts as a difference between pictures that are the same as a whole.
        turned: Whether a quarter-turned or mirrored copy is the same.
    """

    max_bits: int = 48
    min_correlation: float = 0.95
    min_aligned: float = 0.97
    min_contrast: float = 2.0
    spots: SpotLimits = field(default_factory=SpotLimits)
    turned: bool = False

    def compare_closely(self, a: Seen, b: Seen) -> SecondLookResult:
        """Whether two pictures, as `see` gives them, are the same as a whole and in every place."""
        return self.look_closer(a, b, self.compare_wholes(a, b))

    def compare_wholes(self, a: Seen, b: Seen) -> SecondLookResult:
        """Whether two pictures are the same as a whole, turned or mirrored where that is asked for."""
        found = self.compare(a.small, b.small)
        if found.same or not self.turned:
            return found
        turned = [dataclasses.replace(self.compare(a.small, b.turned(turn).small), turn=turn) for turn in TURNS]
        same = [one for one in turned if one.same]
        return max(same, key=lambda one: one.correlation) if same else found

    def look_closer(self, a: Seen, b: Seen, whole: SecondLookResult) -> SecondLookResult:
        """What `compare_wholes` found, and where the pictures differ if they are the same as a whole."""
        if not whole.same:
            return whole
        there = differences(a.detail, b.turned(whole.turn).detail, self.spots)
        same = there.strength < self.spots.certain
        return dataclasses.replace(whole, same=same, difference=there.strength, spots=there.spots)

    def compare(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> SecondLookResult:
        """Whether two pictures, as `small_picture` gives them, are the same as a whole, whatever they say."""
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
        difference: The strongest difference between pictures that are the same as a whole, 0 where there is none.
        spots: Where these differ.
        turn: How the second picture had to be turned, one of `TURNS`; empty if it hadn't.
    """

    same: bool
    bits: int
    correlation: float
    aligned: bool = False
    difference: float = 0.0
    spots: tuple[Spot, ...] = ()
    turn: str = ""

    @property
    def look_alike(self) -> bool:
        """Whether both are the same but for some places, most likely the text that they show."""
        return not self.same and bool(self.spots)

    @property
    def unsure(self) -> bool:
        """Whether the places where both differ may come of copying, so that what is said of them decides."""
        return self.same and bool(self.spots)


def see(data: bytes, where: str) -> Seen:
    """A picture as the second look sees it.

    Args:
        data: Encoded bytes.
        where: Name of the picture in errors.

    Raises:
        PictureError: If it can't be decoded.
    """
    pixels = _decoded(data, where, LONGEST)
    return Seen(_small(pixels), detail_of(pixels))


def small_picture(data: bytes, where: str) -> NDArray[np.uint8]:
    """A picture as it is compared as a whole: RGB, shape (64, 64, 3), whatever its proportions; see `see`."""
    return _small(_decoded(data, where, 2 * SIDE))


def _decoded(data: bytes, where: str, side: int) -> Image.Image:
    from offside_data.images.decode import open_image, reduce_jpeg, shown_pixels

    with open_image(data, where) as picture:
        reduce_jpeg(picture, "RGB", side)
        picture.load()
        return shown_pixels(picture, where)


def _small(pixels: Image.Image) -> NDArray[np.uint8]:
    import numpy as np

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
