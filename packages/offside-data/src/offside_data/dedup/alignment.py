"""Lay one picture over another: find the small shift, stretch, shear or turn that makes them agree best.

A crop, a slight rotation or a resized copy shows the same things a little elsewhere. Gauss-Newton steps on squared
differences (Lucas and Kanade), from coarse to fine, find the affine map between two small grey pictures; a gain and
an offset of brightness are estimated along with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MAX_STRETCH = 0.12
"""Largest change of scale, shear or turn (an entry of the map), where 1 is the picture's own size."""
MAX_SHIFT = 0.15
"""Largest shift, where the picture reaches from -1 to 1."""
MIN_OVERLAP = 0.75
"""Smallest share of the picture that both must show."""

COARSE = ((16, 6), (32, 6), (64, 4))
"""Sides in pixels, coarse to fine, and the steps at each."""
FINE = ((16, 6), (32, 6), (64, 6), (128, 6))
"""The same to a quarter of the error."""
_MAX_STEP = 0.1
_DAMPING = 1e-4


def align(still: Array, moving: Array, levels: Sequence[tuple[int, int]] = COARSE) -> Array | None:
    """The map from places in `still` to places in `moving`, shape (2, 3); null if there is no small one.

    Args:
        still: Grey levels, shape (n, n).
        moving: The same of the picture to be laid over it.
        levels: `COARSE` or `FINE`.

    Returns:
        Rows of `x' = a x + b y + c`, places reaching from -1 to 1.
    """
    import numpy as np

    found = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    for side, steps in levels:
        fixed, loose = _resized(still, side), _resized(moving, side)
        for _ in range(steps):
            step = _step(fixed, loose, found)
            if step is None:
                return None
            square = np.vstack([found, [0.0, 0.0, 1.0]]) @ np.vstack([np.eye(2, 3) + step, [0.0, 0.0, 1.0]])
            found = square[:2]
        if np.abs(found - np.eye(2, 3))[:, :2].max() > MAX_STRETCH or np.abs(found[:, 2]).max() > MAX_SHIFT:
            return None
    return found


def warped(levels: Array, by: Array) -> tuple[Array, NDArray[np.bool_]]:
    """A picture laid over another one by a map from `align`, and where it has something to show.

    Args:
        levels: Shape (n, n) or (n, n, channels).
        by: Shape (2, 3).

    Returns:
        The picture in the same shape, and a mask of shape (n, n).
    """
    import numpy as np

    if levels.ndim == 3:
        channels = [warped(levels[..., c], by) for c in range(levels.shape[2])]
        return np.stack([channel for channel, _ in channels], axis=-1), channels[0][1]
    side = len(levels)
    (a, b, c), (d, e, f) = by
    # Pillow counts in pixels from a corner, we in halves of the picture from its middle.
    half = side / 2
    in_pixels = (a, b, half * (1 - a - b + c), d, e, half * (1 - d - e + f))
    picture = Image.fromarray(levels.astype(np.float32))
    moved = picture.transform((side, side), Image.Transform.AFFINE, in_pixels, Image.Resampling.BILINEAR)
    x, y = _places(side)
    limit = 1 - 1 / side
    inside = (np.abs(a * x + b * y + c) <= limit) & (np.abs(d * x + e * y + f) <= limit)
    return np.asarray(moved, dtype=np.float64), inside


def _step(still: Array, moving: Array, found: Array) -> Array | None:
    """One Gauss-Newton step: what to compose the map with, shape (2, 3)."""
    import numpy as np

    laid, inside = warped(moving, found)
    inside = inside.copy()
    inside[[0, -1], :] = inside[:, [0, -1]] = False  # No slope there.
    if inside.mean() < MIN_OVERLAP * 0.9:
        return None
    side = len(still)
    down, across = (np.asarray(slope) for slope in np.gradient(laid, 2 / side))
    x, y = _places(side)
    terms = (across * x, across * y, across, down * x, down * y, down, laid, np.ones_like(laid))
    columns = np.stack([term[inside] for term in terms], axis=-1)
    normal = columns.T @ columns
    normal[np.diag_indices(8)] += _DAMPING * np.append(np.full(6, normal.diagonal()[:6].mean()), [0, 0]) + 1e-9
    solved = np.linalg.solve(normal, columns.T @ still[inside])
    gain = solved[6]
    if gain < 0.3:  # They have nothing in common.
        return None
    step: Array = np.clip(solved[:6].reshape(2, 3) / gain, -_MAX_STEP, _MAX_STEP)
    return step


def _resized(levels: Array, side: int) -> Array:
    import numpy as np

    if len(levels) == side:
        return levels
    picture = Image.fromarray(levels.astype(np.float32)).resize((side, side), Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float64)


def _places(side: int) -> tuple[Array, Array]:
    import numpy as np

    line = (np.arange(side) + 0.5) * (2 / side) - 1
    x, y = np.meshgrid(line, line)
    return x, y
