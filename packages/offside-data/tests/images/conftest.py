"""Pictures of every kind that folders hold, made by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """A picture that looks different whichever way it is turned."""
    image = Image.new("RGB", (width, height), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width // 9, height // 8, width * 2 // 3, height * 5 // 6), fill=(200, 30, 40))
    draw.rectangle((width // 2, height // 2, width - 4, height - 2), fill=(20, 40, 160))
    return image


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def camera_exif(orientation: int = 1) -> bytes:
    """EXIF of a camera: maker, GPS position, orientation."""
    exif = Image.Exif()
    exif[0x010F] = "Ostholm Optics"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[2] = (54.0, 12.0, 37.0)
    return exif.tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG of any claimed size without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, b"IDAT")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def kinds() -> dict[str, bytes]:
    """Whole pictures by kind; all show the scene but the one of floating point numbers, which shows its greys."""
    image = scene()
    grey = image.convert("L")
    alpha = grey.convert("LA")
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    frames = {"save_all": True, "append_images": [image.rotate(180)]}
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {
        "jpeg": encode(image, "JPEG"),
        "jpeg-grey": encode(grey, "JPEG"),
        "jpeg-progressive": encode(image, "JPEG", progressive=True),
        "jpeg-cmyk": encode(image.convert("CMYK"), "JPEG"),
        "jpeg-icc": encode(image, "JPEG", icc_profile=srgb, exif=camera_exif()),
        "jpeg-turned": encode(image, "JPEG", exif=camera_exif(6)),
        "mpo": encode(image, "MPO", save_all=True, append_images=[image.rotate(180)]),
        "png": encode(image, "PNG"),
        "png-palette": encode(image.quantize(16), "PNG"),
        "png-palette-transparent": encode(image.quantize(16), "PNG", transparency=0),
        "png-grey-alpha": encode(alpha, "PNG"),
        "png-alpha": encode(alpha.convert("RGBA"), "PNG"),
        "png-opaque-alpha": encode(image.convert("RGBA"), "PNG"),
        "png-one-bit": encode(image.convert("1"), "PNG"),
        "png-16-bit": encode(deep, "PNG"),
        "png-animated": encode(image, "PNG", **frames),
        "png-turned": encode(image, "PNG", exif=camera_exif(8)),
        "gif": encode(image, "GIF"),
        "gif-animated": encode(image, "GIF", **frames),
        "webp": encode(image, "WEBP"),
        "webp-animated": encode(image, "WEBP", lossless=True, **frames),
        "webp-turned": encode(image, "WEBP", lossless=True, exif=camera_exif(3)),
        "bmp": encode(image, "BMP"),
        "tiff": encode(image, "TIFF"),
        "tiff-16-bit": encode(deep, "TIFF"),
        "tiff-float": encode(grey.convert("F"), "TIFF"),
        "tiff-cmyk": encode(image.convert("CMYK"), "TIFF"),
        "tiff-pages": encode(image, "TIFF", **frames),
    }


def broken() -> dict[str, tuple[bytes, str]]:
    """Files that aren't usable pictures, each with the kind of its fault."""
    whole = kinds()
    return {
        "empty.jpg": (b"", "empty"),
        "note.jpg": (b"The photo follows by post.", "not-a-picture"),
        "page.jpg": (b"<html><body>404</body></html>", "not-a-picture"),
        "noise.jpg": (bytes(range(256)), "not-a-picture"),
        "cut.jpg": (whole["jpeg"][:-100], "damaged"),
        "header.jpg": (whole["jpeg"][:20], "damaged"),
        "cut.png": (whole["png"][:-40], "damaged"),
        "cut.webp": (whole["webp"][:-40], "damaged"),
        "cut.bmp": (whole["bmp"][:-400], "damaged"),
        "bomb.png": (png_header(60_000, 60_000), "too-large"),
        "large.png": (png_header(10_000, 9_000), "too-large"),
        "logo.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported"),
        "layers.psd": (b"8BPS\0\1", "unsupported"),
        "icon.jpg": (encode(scene(16, 16), "ICO"), "unsupported"),
    }


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Image.Image]:
    return scene


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    return encode


@pytest.fixture(scope="session")
def exif() -> Callable[..., bytes]:
    return camera_exif


@pytest.fixture(scope="session")
def whole_kinds() -> dict[str, bytes]:
    return kinds()


@pytest.fixture(scope="session")
def broken_kinds() -> dict[str, tuple[bytes, str]]:
    return broken()
