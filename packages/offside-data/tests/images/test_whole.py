"""Pictures that show although part of them isn't there."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offside_data.errors import PictureError
from offside_data.images.decode import verify_image
from offside_data.images.normalise import normalise_image


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (80, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def header(width: int, height: int, depth: int = 8, colours: int = 2, interlaced: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced)


def rows(size: int, number: int) -> tuple[bytes, bytes]:
    return b"IDAT", zlib.compress((b"\0" + bytes(size)) * number)


END = (b"IEND", b"")
PNG, JPEG = encoded("PNG"), encoded("JPEG")
CLAIMED = JPEG.replace(struct.pack(">HH", 80, 96), struct.pack(">HH", 7999, 8000), 1)

LACKING = {
    "an end that is missing": (PNG[:-12], "IEND"),
    "an end that is cut": (PNG[:-6], "IEND"),
    "a last chunk that is cut": (PNG[:-16], "IEND"),
    "a row too few": (png(header(8, 9), rows(24, 8), END), "25 of 225 bytes"),
    "the last pass of seven": (png(header(8, 8, interlaced=1), (b"IDAT", zlib.compress(bytes(50))), END), "bytes"),
    "a palette": (png(header(8, 8, colours=3), rows(8, 8), END), "PLTE"),
    "a palette before the pixels": (png(header(8, 8, colours=3), rows(8, 8), (b"PLTE", bytes(3)), END), "PLTE"),
    "the end of a GIF": (encoded("GIF")[:-1], "cut off"),
    "most of what a JPEG claims": (CLAIMED, "8000 x 7999"),
    "a side of any length": (png(header(60_000_000, 1), rows(3, 1), END), "65,535"),
}


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("look", [verify_image, normalise_image])
def test_what_is_missing_is_told(name: str, look: object) -> None:
    data, told = LACKING[name]
    with pytest.raises(PictureError) as raised:
        look(data, "a.png")  # type: ignore[operator]
    assert "a.png" in str(raised.value)
    assert told in str(raised.value)


WHOLE = {
    **{f"{kind} {mode}": encoded(kind, mode) for kind in ("PNG", "GIF") for mode in ("L", "P", "1", "RGB")},
    "PNG RGBA": encoded("PNG", "RGBA"),
    "PNG LA": encoded("PNG", "LA"),
    "PNG 16": png(header(8, 8, 16, 0), rows(16, 8), END),
    "PNG of two bits": png(header(5, 3, 2, 0), rows(2, 3), END),
    "PNG in passes": png(header(8, 8, interlaced=1), (b"IDAT", zlib.compress(bytes(207))), END),
    "PNG of a point in passes": png(header(1, 1, interlaced=1), (b"IDAT", zlib.compress(bytes(4))), END),
    "PNG in two parts": png(header(8, 2), *((b"IDAT", part) for part in (rows(24, 2)[1][:9], rows(24, 2)[1][9:])), END),
    "PNG with more behind": PNG + b"more",
    **{f"JPEG {mode}": encoded("JPEG", mode) for mode in ("L", "RGB", "CMYK")},
    "JPEG progressive": encoded("JPEG", progressive=True),
    "JPEG in full": encoded("JPEG", subsampling=0, quality=100),
    "JPEG with more behind": JPEG + b"more",
    "WEBP": encoded("WEBP"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_taken(name: str) -> None:
    verify_image(WHOLE[name], name)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}, {"quality": 1}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_of_one_colour_takes_least_and_is_whole(options: dict[str, object], mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (2_000, 1_501)).save(stream, "JPEG", **options)
    verify_image(stream.getvalue(), "grey.jpg")


def test_a_gif_of_several_frames_ends(tmp_path: Path) -> None:
    frames = [Image.new("P", (30, 20), color) for color in (1, 2, 3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], loop=0, comment=b"x" * 300)
    data = (tmp_path / "a.gif").read_bytes()
    verify_image(data, "a.gif")
    with pytest.raises(PictureError, match="damaged"):
        verify_image(data[:-4], "a.gif")
