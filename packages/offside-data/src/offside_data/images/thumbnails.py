"""Small copies of pictures for contact sheets."""

from __future__ import annotations

import io

from PIL import Image

from offside_data.images.decode import open_image, reduce_jpeg, shown_pixels

_QUALITY = 80


def thumbnail(data: bytes, size: int = 160) -> bytes:
    """A small JPEG, upright and without metadata.

    Args:
        data: An encoded picture.
        size: Longest side in pixels; smaller pictures keep theirs.

    Raises:
        PictureError: If the picture can't be decoded.
    """
    with open_image(data, "the picture") as picture:
        reduce_jpeg(picture, "RGB", 2 * size)
        picture.load()
        small = shown_pixels(picture, "the picture")
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    Image.frombytes("RGB", small.size, small.tobytes()).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
