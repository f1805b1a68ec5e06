"""Low frequencies: whether each is stronger than the median (64 bits)."""

from __future__ import annotations

from PIL import Image

DRAFT: int | None = 128
RADIUS = 8


def compute(picture: Image.Image) -> str:
    """The hash as 16 hex digits."""
    import imagehash

    return str(imagehash.phash(picture))
