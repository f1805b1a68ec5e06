"""Haar wavelets: whether each of 8 x 8 fields is brighter than the median (64 bits)."""

from __future__ import annotations

from PIL import Image

DRAFT: int | None = 128
RADIUS = 8
_SCALE = 64
"""Pixels a side before the transform. By default imagehash takes the picture's own size, so that a smaller copy is
hashed at another scale, and a large picture takes ten times as long."""


def compute(picture: Image.Image) -> str:
    """The hash as 16 hex digits."""
    import imagehash

    return str(imagehash.whash(picture, image_scale=_SCALE))
