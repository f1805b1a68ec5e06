"""Small copies of pictures for contact sheets."""

from __future__ import annotations

import io
import math

from PIL import Image

from offside_data.images.decode import decode_image, open_image, reduce_jpeg, shown_pixels

_QUALITY = 80
_MOST_ENLARGED = 4.0


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
    return _small_jpeg(small, size)


def close_up(data: bytes, box: tuple[float, float, float, float], size: int = 320) -> bytes:
    """As `thumbnail` of a part of a picture, which is enlarged if it is small.

    Args:
        data: An encoded picture.
        box: Left, top, right and bottom edge as shares of width and height.
        size: Longest side in pixels.

    Raises:
        PictureError: If the picture can't be decoded.
    """
    pixels = decode_image(data)
    width, height = pixels.size
    left, top, right, bottom = box
    edges = (int(left * width), int(top * height), math.ceil(right * width), math.ceil(bottom * height))
    part = pixels.crop((edges[0], edges[1], max(edges[0] + 1, edges[2]), max(edges[1] + 1, edges[3])))
    scale = min(_MOST_ENLARGED, size / max(part.size))
    if scale > 1:
        part = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.BICUBIC)
    return _small_jpeg(part, size)


def _small_jpeg(pixels: Image.Image, size: int) -> bytes:
    pixels.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    Image.frombytes("RGB", pixels.size, pixels.tobytes()).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
