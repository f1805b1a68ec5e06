"""Where two pictures differ that are the same as a whole: another number in a screenshot, another banner on a photo.

Both are brought to the size of the smaller one and compared window by window, about a letter large. In a window of a
copy, whatever it went through, the pixels rise and fall together; where another text stands they don't. What counts
is the contrast that the other picture doesn't explain, so brightness doesn't matter and faint traces of compression
aren't enough.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from offside_data.dedup.alignment import FINE, align

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

LONGEST = 512
"""Longest side, in pixels, at which pictures are compared."""
_BLOCK = 4
"""A window is two blocks wide and high; windows lie a block apart."""
_SMALLEST = 4 * _BLOCK
"""Pictures with a shorter side are compared at this one."""
_SOFTENED = 0.8
"""Radius in pixels by which both pictures are blurred first."""
_SETTLED = 25.0
"""Added to the product of two variances: without contrast there is nothing to rise and fall together."""
_JITTER = (-1, 0, 1)
"""Pixels by which a window may lie elsewhere once one picture was laid over the other."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a picture, its edges as shares of the picture's width and height, from 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        across, down = (f"{a:.0%} to {b:.0%}" for a, b in ((self.left, self.right), (self.top, self.bottom)))
        return f"{across} from the left, {down} from the top"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotLimits:
    """What counts as a difference. `docs/deduplication.md` shows what the limits were chosen by.

    Args:
        certain: Contrast (standard deviation of grey levels, of 255) that isn't explained and that no copying leaves.
        possible: What copying may leave: it counts only if the records of the pictures differ, too.
        agreement: Correlation of a window's pixels from which on it shows the same, however strong its contrast.
    """

    certain: float = 13.0
    possible: float = 8.0
    agreement: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSpots:
    """Where two pictures differ.

    Args:
        strength: Of the strongest difference, as the limits have it; 0 where there is none.
        spots: The largest places that differ at least possibly, in the first picture.
    """

    strength: float = 0.0
    spots: tuple[Spot, ...] = ()


def detail_of(pixels: Image.Image) -> Image.Image:
    """A picture as `differences` takes it: grey, at most `LONGEST` pixels long."""
    grey = pixels.convert("L")
    scale = LONGEST / max(grey.size)
    if scale >= 1:
        return grey
    size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
    return grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def differences(a: Image.Image, b: Image.Image, limits: SpotLimits) -> FoundSpots:
    """Where two pictures differ, each as `detail_of` gives it.

    If they do, one is laid over the other first: a crop of a few pixels or a slight turn is no difference.
    """
    size = (max(_SMALLEST, min(a.width, b.width)), max(_SMALLEST, min(a.height, b.height)))
    still = _levels(_resized(a, size))
    found = _unexplained(still, _levels(_resized(b, size)), limits)
    if found.max() >= limits.possible:
        laid = _laid_over(a, b, size)
        if laid is not None:
            moved, inside = laid
            again = _unexplained(still, _levels(moved), limits, _JITTER)
            again[_windows(_whole_blocks(inside)) < 1] = 0
            if again.max() < found.max():
                found = again
    strength = float(found.max())
    if strength < limits.possible:
        return FoundSpots()
    return FoundSpots(strength=round(strength, 1), spots=_spots(found >= limits.possible, size))


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _levels(picture: Image.Image) -> Array:
    """Grey levels, softened: what is left of compression and scaling is finer than the strokes of letters."""
    import numpy as np

    return _whole_blocks(np.asarray(picture.filter(ImageFilter.GaussianBlur(_SOFTENED))))


def _whole_blocks(levels: NDArray[np.generic]) -> Array:
    """The levels with their edge repeated until blocks fit."""
    import numpy as np

    height, width = levels.shape
    return np.pad(levels.astype(np.float32), ((0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")


def _unexplained(a: Array, b: Array, limits: SpotLimits, jitter: tuple[int, ...] = (0,)) -> Array:
    """Contrast of each window that the other picture doesn't explain, 0 where both agree well enough."""
    import numpy as np

    mean, square = _windows(a), _windows(a * a)
    contrast = np.maximum(square - mean * mean, 0)
    least: Array | None = None
    for down, across in itertools.product(jitter, jitter):
        other = np.roll(b, (down, across), (0, 1)) if down or across else b
        other_mean = _windows(other)
        other_contrast = np.maximum(_windows(other * other) - other_mean * other_mean, 0)
        shared = _windows(a * other) - mean * other_mean
        agreement = np.clip(shared / np.sqrt(contrast * other_contrast + _SETTLED), 0, 1)
        left = np.sqrt(np.maximum(contrast, other_contrast) * (1 - agreement * agreement))
        left[agreement > limits.agreement] = 0
        least = left if least is None else np.minimum(least, left)
    assert least is not None
    return least


def _windows(levels: Array) -> Array:
    """Means of all windows."""
    import numpy as np

    blocks = np.asarray(Image.fromarray(levels).reduce(_BLOCK))
    means: Array = (blocks[1:, 1:] + blocks[:-1, 1:] + blocks[1:, :-1] + blocks[:-1, :-1]) / 4
    return means


def _laid_over(a: Image.Image, b: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, NDArray[np.bool_]] | None:
    """The second picture laid over the first, and where it has something to show; null if there is no small map."""
    import numpy as np

    side = FINE[-1][0]
    squares = [np.asarray(picture.resize((side, side), Image.Resampling.BOX), np.float64) for picture in (a, b)]
    found = align(squares[0], squares[1], FINE)
    if found is None:
        return None
    (p, q, r), (s, t, u) = found
    (width, height), (w, h) = size, b.size
    # Places reach from -1 to 1 in `found`; Pillow wants the pixel of `b` for a pixel of the result.
    across = (p * w / width, q * w / height, w / 2 * (1 - p - q + r))
    down = (s * h / width, t * h / height, h / 2 * (1 - s - t + u))
    moved = b.transform(size, Image.Transform.AFFINE, (*across, *down), Image.Resampling.BICUBIC)
    x, y = np.meshgrid((np.arange(width) + 0.5) * 2 / width - 1, (np.arange(height) + 0.5) * 2 / height - 1)
    inside = np.abs(p * x + q * y + r) <= 1 - _BLOCK / width
    inside &= np.abs(s * x + t * y + u) <= 1 - _BLOCK / height
    return moved, inside


def _spots(differing: NDArray[np.bool_], size: tuple[int, int]) -> tuple[Spot, ...]:
    """The largest connected places, windows that lie near each other taken together."""
    import numpy as np
    from scipy import ndimage

    labels, _ = ndimage.label(ndimage.binary_dilation(differing, iterations=2))
    labels[~differing] = 0
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    boxes = ndimage.find_objects(labels)
    width, height = size
    spots = []
    for label in np.argsort(-counts, kind="stable")[:_SHOWN]:
        if counts[label]:
            rows, columns = boxes[label - 1]
            spots.append(
                Spot(
                    left=round(columns.start * _BLOCK / width, 3),
                    top=round(rows.start * _BLOCK / height, 3),
                    right=round(min(1.0, (columns.stop + 1) * _BLOCK / width), 3),
                    bottom=round(min(1.0, (rows.stop + 1) * _BLOCK / height), 3),
                )
            )
    return tuple(spots)
