"""Open pictures that come from outside: only known formats, bounded size, whole or an error."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from offside_data.errors import SourceError
from offside_data.schema import EncodedImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read; nothing else Pillow could open (it starts programs for some formats)."""
MAX_PIXELS = 64_000_000
"""Largest picture that is decoded: a small file can claim to be a picture of terabytes."""
MAX_BYTES = 256 * 2**20
"""Largest file that is read."""


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> EncodedImage:
    """Read a picture's bytes as they are, after making sure that they decode.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        SourceError: If it can't be read, isn't a picture of a known format, is cut off or too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"{path}: larger than {MAX_BYTES // 2**20} MiB. Give a smaller copy.")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from error
    verify_image(data, str(path), max_pixels=max_pixels)
    return EncodedImage(bytes=data, path=path.name)


def verify_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> None:
    """Make sure that encoded bytes are a whole picture of a known format and bounded size.

    Raises:
        SourceError: If they aren't; `where` names the picture.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the bound below decides.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > max_pixels:
                    raise SourceError(
                        f"{where}: {picture.width} x {picture.height} pixels are more than the "
                        f"{max_pixels:,} that are allowed. Give a smaller copy."
                    )
                picture.load()
    except UnidentifiedImageError as error:
        raise SourceError(f"{where}: not a picture in one of the formats {', '.join(FORMATS)}.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{where}: the picture is damaged: {error}. Fetch it again.") from error
