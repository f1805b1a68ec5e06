"""Open pictures that come from outside: only known formats, bounded size, whole or an error that says why.

Everything of ours that looks at pixels (hashes, thumbnails, text recognition) gets them from `decode_image`, so that
all see the same: the first frame, upright, in 8 bits, transparent parts on white.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import importlib
import io
import os
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image, ImageCms, UnidentifiedImageError, features

from offside_data.errors import PictureError
from offside_data.images.whole import what_is_missing
from offside_data.limits import PICTURE, PIXELS, SIDE
from offside_data.schema import EncodedImage

PictureProblem = Literal[
    "missing", "unreadable", "outside", "empty", "not-a-picture", "unsupported", "damaged", "too-large"
]
"""Why a picture can't be used."""

_ALWAYS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SOMETIMES = ("AVIF", "HEIF")  # Depends on what is installed.
FORMATS = (*_ALWAYS, *_SOMETIMES)
"""What is read; nothing else Pillow could open (it starts programs for some formats)."""
MAX_PIXELS = PIXELS.most
"""Largest picture that is decoded: a small file can claim to be a picture of terabytes."""
MAX_BYTES = PICTURE.most
"""Largest file that is read."""
ORIENTATION = 0x0112
"""The EXIF tag that says how a picture is turned."""

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    AssertionError,
    struct.error,
)
"""What Pillow and its plugins raise on damaged input, of which they promise nothing."""


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> EncodedImage:
    """Read a picture's bytes as they are, after making sure that they decode.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        PictureError: If it can't be read, isn't a picture of a known format, is cut off or too large.
    """
    data = read_bytes(path)
    verify_image(data, str(path), max_pixels=max_pixels)
    return EncodedImage(bytes=data, path=path.name)


def read_bytes(path: Path, roots: Sequence[Path] = ()) -> bytes:
    """Read a file of bounded size.

    Args:
        path: The file.
        roots: Folders that it must lie in once links are followed; none allows any place.

    Raises:
        PictureError: If it can't be read, is too large, or a link leads out of the folders.
    """
    real = Path(os.path.realpath(path)) if roots else path
    if roots and not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        reason = "a link that leads out of the source. If you trust it, allow its folder with --image-dir."
        raise PictureError(f"{path} -> {real}", "outside", reason)
    try:
        if real.stat().st_size > MAX_BYTES:
            raise PictureError(str(path), "too-large", f"larger than {MAX_BYTES // 2**20} MiB. Give a smaller copy.")
        return real.read_bytes()
    except OSError as error:
        raise PictureError(str(path), "unreadable", f"can't be read: {error.strerror}.") from error


def verify_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> None:
    """Make sure that encoded bytes are a whole picture of a known format and bounded size.

    Raises:
        PictureError: If they aren't; `where` names the picture.
    """
    with open_image(data, where, max_pixels=max_pixels) as picture:
        # All of a JPEG is read at any size, so the smallest shows the same faults twice as fast.
        reduce_jpeg(picture, "L", 1)
        picture.load()
        require_whole(data, picture, where)


def require_whole(data: bytes, picture: Image.Image, where: str) -> None:
    """Refuse a picture that shows although part of it isn't there; for what comes in, as it takes time.

    Args:
        data: Its encoded bytes.
        picture: What Pillow opened of them.
        where: Names it in the message.

    Raises:
        PictureError: If something is missing.
    """
    missing = what_is_missing(data, str(picture.format))
    if missing:
        raise PictureError(where, "damaged", f"the picture is damaged: {missing}. Fetch it again.")


def decode_image(data: bytes, where: str = "the picture") -> Image.Image:
    """The pixels that a viewer shows, in RGB: first frame, upright, 8 bits, transparent parts on white.

    Raises:
        PictureError: As `verify_image`.
    """
    with open_image(data, where) as picture:
        picture.load()
        return shown_pixels(picture, where)


def reduce_jpeg(picture: Image.Image, mode: Literal["L", "RGB"], side: int) -> bool:
    """Let an opened JPEG be decoded at a half, a quarter or an eighth of its size, several times as fast.

    Args:
        picture: Opened and not loaded; anything but a grey or RGB JPEG stays as it is.
        mode: The colours to decode.
        side: No side gets shorter than so many pixels.

    Returns:
        Whether it will be smaller.
    """
    size = picture.size
    if picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB"):
        picture.draft(mode, (side, side))
    return picture.size != size


@contextlib.contextmanager
def open_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open a picture, not yet decoded; what Pillow raises inside the block becomes a `PictureError`.

    Raises:
        PictureError: If the bytes aren't a picture of a known format and bounded size, or decoding them fails.
    """
    if not data:
        raise PictureError(where, "empty", "the file is empty (0 bytes). Fetch it again.")
    too_large = f"more than the {max_pixels:,} that are allowed. Give a smaller copy."
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the bound below decides.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_formats(data)) as picture:
                if picture.width * picture.height > max_pixels:
                    size = f"{picture.width} x {picture.height}"
                    raise PictureError(where, "too-large", f"{size} pixels are {too_large}")
                if max(picture.size) > SIDE.most:
                    size = f"{picture.width} x {picture.height}"
                    reason = f"{size} pixels: no side may be longer than {SIDE}. Give a smaller copy."
                    raise PictureError(where, "too-large", reason)
                yield picture
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(where, "too-large", "decoding it takes more memory than there is.") from error
    except Image.DecompressionBombError as error:
        raise PictureError(where, "too-large", f"its pixels are {too_large}") from error
    except UnidentifiedImageError as error:
        raise PictureError(where, *_why_unknown(data)) from error
    except BROKEN as error:
        reason = f"the picture is damaged: {str(error).rstrip('.') or type(error).__name__}. Fetch it again."
        raise PictureError(where, "damaged", reason) from error


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats that bytes may be in, as far as Pillow can read them."""
    if data[4:8] != b"ftyp":
        return _ALWAYS
    _register_heif()
    Image.init()
    return tuple(name for name in _SOMETIMES if name in Image.OPEN)


@functools.cache
def _register_heif() -> bool:
    """Teach Pillow to read HEIF if the plugin is installed; returns whether it is."""
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError:
        return False
    plugin.register_heif_opener()
    return True


# ---------------------------------------------------------------------------------------------
# Pixels

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation."""


def shown_pixels(picture: Image.Image, where: str) -> Image.Image:
    """What a viewer shows of a loaded picture, in RGB; see `decode_image`.

    Raises:
        PictureError: If its kind of colours has no RGB.
    """
    turn = _TURNS.get(orientation(picture))
    upright = picture if turn is None else picture.transpose(turn)
    if upright.mode.startswith("I;16"):
        return _high_bytes(upright).convert("RGB")
    if upright.mode in ("I", "F"):
        return _stretched(upright).convert("RGB")
    if upright.mode == "CMYK" and "icc_profile" in picture.info:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
            converted = ImageCms.profileToProfile(upright, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # Only a conversion in place returns none.
            return converted
    if is_transparent(upright):
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    try:
        return upright.convert("RGB")
    except ValueError as error:
        reason = f"its colours are {upright.mode}, which can't be shown. Save it as RGB."
        raise PictureError(where, "unsupported", reason) from error


def orientation(picture: Image.Image) -> int:
    """EXIF orientation of a picture, 1 to 8; 1 (upright) where none is readable."""
    try:
        value = picture.getexif().get(ORIENTATION)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 < value <= 8 else 1


def is_transparent(picture: Image.Image) -> bool:
    """Whether a loaded picture has pixels that let the ground shine through."""
    if not picture.has_transparency_data or picture.mode.startswith("I"):
        return False
    lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return float(lowest) < 255  # type: ignore[arg-type]


def _high_bytes(picture: Image.Image) -> Image.Image:
    import numpy as np

    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _stretched(picture: Image.Image) -> Image.Image:
    """Greys of any range, the darkest made black and the brightest white."""
    import numpy as np

    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    low, high = values.min(), values.max()
    return Image.fromarray(((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8))


# ---------------------------------------------------------------------------------------------
# What else a file may be

_OURS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_OTHERS = {
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF",
    b"\0\0\1\0": "an icon (ICO)",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
)


def _why_unknown(data: bytes) -> tuple[PictureProblem, str]:
    """Kind and reason for bytes that Pillow doesn't take for a picture."""
    brand = _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None
    if brand == "HEIF" and not _register_heif():
        return "unsupported", "HEIF. To read it: pip install 'offside-data[heif]'. Or save it as JPEG."
    if brand == "AVIF" and not features.check("avif"):
        return "unsupported", "AVIF, which this Pillow can't read. Install a newer one, or save it as PNG."
    formats = f"not a picture in one of the formats {', '.join(FORMATS)}"
    text = _text(data[:4096])
    other = "an SVG drawing" if "<svg" in text else _beginning_of(data, _OTHERS)
    if other:
        return "unsupported", f"{other}, {formats}. Save it in one of them."
    if text:
        return "not-a-picture", f"a text, {formats}. Fetch it again."
    ours = brand or ("WebP" if data[8:12] == b"WEBP" else _beginning_of(data, _OURS))
    if ours:
        return "damaged", f"the picture is damaged: it starts like {ours}, but isn't readable. Fetch it again."
    return "not-a-picture", f"{formats}. Fetch it again."


def _beginning_of(data: bytes, table: Mapping[bytes, str]) -> str | None:
    return next((name for magic, name in table.items() if data.startswith(magic)), None)


def _text(head: bytes) -> str:
    """The beginning of a text file; empty if it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # The last character may be cut.
    except UnicodeDecodeError:
        return ""
    return text if all(c.isprintable() or c.isspace() for c in text) else ""
