"""Brightness steps of each bright or dark segment: a crop keeps the segments that it doesn't cut (64 bits each)."""

from __future__ import annotations

from PIL import Image

DRAFT: int | None = None
RADIUS = 6


def compute(picture: Image.Image) -> str:
    """The hashes of all segments, 16 hex digits each, joined by commas."""
    import imagehash

    return str(imagehash.crop_resistant_hash(picture))
