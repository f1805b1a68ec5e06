"""What a dataset stores of a picture: its bytes as they came wherever every reader sees the same in them.

Readers differ on rotated, animated and transparent pictures, and many can't open HEIF, TIFF, CMYK or 16 bits. Such a
picture is stored anew, as its shown pixels in a plain format, so that whoever loads it sees what was curated.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from offside_data.images.decode import (
    BROKEN,
    ORIENTATION,
    decode_image,
    is_transparent,
    open_image,
    orientation,
    require_whole,
    shown_pixels,
)
from offside_data.images.strip import strip_metadata
from offside_data.schema import EncodedImage

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
"""File name suffixes of each format, the usual one first."""
_STORED = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_STORED_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
_LOSSY = ("JPEG", "HEIF", "AVIF")
_QUALITY = 95
_FULL, _HALF_WIDTH = 0, 1
"""How much of the colours a JPEG keeps: all, or half of the columns (`JpegImagePlugin.get_sampling`)."""
_BLOCK = 16
"""Pixels a side of a JPEG's blocks, at most."""
_LONGEST_EXIF = 65_000


@dataclass(frozen=True, slots=True)
class NormalImage:
    """A picture as it is stored.

    Args:
        image: Encoded bytes and file name.
        pixels: The pixels that a viewer shows, in RGB.
        changes: What differs from the source, in words; empty if nothing does.
    """

    image: EncodedImage
    pixels: Image.Image
    changes: tuple[str, ...]


def normalise_image(data: bytes, name: str) -> NormalImage:
    """Make a picture from outside one that every reader shows the same way.

    Args:
        data: Encoded bytes.
        name: Its name at the source; the last part, with the suffix of its format, becomes the file name.

    Raises:
        PictureError: If it isn't a whole picture of a known format and bounded size.
    """
    with open_image(data, name) as picture:
        # Cameras append previews and depth maps to a JPEG; Pillow calls that MPO.
        kind = "JPEG" if picture.format == "MPO" else str(picture.format)
        picture.load()
        require_whole(data, picture, name)
        readable = _has_readable_exif(picture)
        pixels = shown_pixels(picture, name)
        changes = []
        if reasons := list(_reasons(picture, kind)):
            exif = _exif_of_upright(picture) if readable else b""
            data, pixels, kind = _stored_anew(picture, pixels, kind, exif)
            changes = [f"stored anew as {kind}, so that every reader shows the same: {', '.join(reasons)}"]
        elif not readable:
            data = strip_metadata(data, name)
            changes = ["stored without its metadata, because the EXIF can't be read"]
    path = _file_name(name, kind)
    # A picture that lay in a table has no suffix yet.
    if not reasons and path != PurePosixPath(name).name and PurePosixPath(name).suffix:
        changes.append(f"stored as {path}, because it is {kind}")
    return NormalImage(EncodedImage(bytes=data, path=path), pixels, tuple(changes))


def _reasons(picture: Image.Image, kind: str) -> Iterator[str]:
    """Why readers would disagree on a loaded picture."""
    if kind not in _STORED:
        yield kind
    if picture.mode not in _STORED_MODES:
        yield f"colours of type {picture.mode}"
    if kind != "JPEG" and getattr(picture, "is_animated", False):
        yield "several frames (the first counts)"
    if orientation(picture) != 1:
        yield "turned by EXIF"
    if is_transparent(picture):
        yield "transparent (laid on white)"


def _stored_anew(picture: Image.Image, pixels: Image.Image, kind: str, exif: bytes) -> tuple[bytes, Image.Image, str]:
    """Encode what a viewer shows; gives the bytes, their pixels and their format."""
    profile = picture.info.get("icc_profile") or b""
    if kind not in _LOSSY:
        return _encode(pixels, "PNG", profile, exif=exif), pixels, "PNG"
    colors = pixels.convert("L") if picture.mode == "L" else pixels
    data = _encode(colors, "JPEG", profile, exif=exif, **_jpeg_options(picture))
    return data, decode_image(data), "JPEG"


def _jpeg_options(picture: Image.Image) -> dict[str, Any]:
    """How to encode a turned JPEG so that least changes: as it was, where its blocks stay the same blocks."""
    best = {"quality": _QUALITY, "subsampling": _FULL}
    if not isinstance(picture, JpegImagePlugin.JpegImageFile) or picture.mode not in ("L", "RGB"):
        return best
    swapped = orientation(picture) >= 5  # Width and height change places, and with them rows and columns.
    sampling = JpegImagePlugin.get_sampling(picture)
    if picture.width % _BLOCK or picture.height % _BLOCK or sampling < 0 or (swapped and sampling == _HALF_WIDTH):
        return best
    tables = [np.reshape(table, (8, 8)) for _, table in sorted(picture.quantization.items())]
    qtables = [[int(n) for n in (table.T if swapped else table).flat] for table in tables]
    return {"qtables": qtables, "subsampling": sampling}


def _encode(pixels: Image.Image, kind: str, profile: bytes, **options: Any) -> bytes:
    """Encode pixels, with a colour profile unless it is of colours that were converted."""
    plain = Image.frombytes(pixels.mode, pixels.size, pixels.tobytes())  # Without what Pillow knows of the source.
    fits = profile[16:20] == {"RGB": b"RGB ", "L": b"GRAY"}[plain.mode]
    buffer = io.BytesIO()
    plain.save(buffer, kind, icc_profile=profile if fits else None, **options)
    return buffer.getvalue()


def _has_readable_exif(picture: Image.Image) -> bool:
    """Whether EXIF that is there can be parsed; Pillow complains only the first time."""
    try:
        picture.getexif()
    except BROKEN:
        return False
    return True


def _exif_of_upright(picture: Image.Image) -> bytes:
    """EXIF as it came, but for the orientation; nothing where that can't be written or is too long for a JPEG."""
    exif: bytes = picture.info.get("exif") or b""
    if exif and orientation(picture) != 1:
        tags = Image.Exif()
        try:
            tags.load(exif)
            tags.pop(ORIENTATION, None)
            exif = tags.tobytes()
        except BROKEN:
            return b""
    return exif if len(exif) <= _LONGEST_EXIF else b""


def _file_name(name: str, kind: str) -> str:
    """The last part of a name, with a suffix of the format."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.suffix.lower() in SUFFIXES[kind]:
        return path.name
    known = any(path.suffix.lower() in suffixes for suffixes in SUFFIXES.values())
    return (path.stem if known else path.name) + SUFFIXES[kind][0]
