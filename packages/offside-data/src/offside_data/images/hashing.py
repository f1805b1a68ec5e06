"""Hashes of a picture: of its bytes, of its pixels, and two that change little when it changes a little."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class ImageHashes:
    """What `tables/images.parquet` says of a picture's bytes.

    Args:
        sha256: Of the encoded bytes.
        pixels_sha256: Of the size and the RGB pixels; it survives another lossless encoding.
        phash: Perceptual hash (frequencies), 16 hex digits.
        dhash: Perceptual hash (brightness steps), 16 hex digits.
        width: In pixels.
        height: In pixels.
    """

    sha256: str
    pixels_sha256: str
    phash: str
    dhash: str
    width: int
    height: int


def hash_image(data: bytes, picture: Image.Image | None = None) -> ImageHashes:
    """All hashes of an encoded picture; `picture` saves decoding it if its pixels are at hand."""
    import imagehash

    if picture is None:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
    return ImageHashes(
        sha256=hashlib.sha256(data).hexdigest(),
        pixels_sha256=pixels_sha256(picture),
        phash=str(imagehash.phash(picture)),
        dhash=str(imagehash.dhash(picture)),
        width=picture.width,
        height=picture.height,
    )


def pixels_sha256(picture: Image.Image) -> str:
    """SHA-256 of a picture's size and RGB pixels."""
    digest = hashlib.sha256(f"{picture.width}x{picture.height} RGB ".encode())
    digest.update(picture.convert("RGB").tobytes())
    return digest.hexdigest()


def hamming(first: str, second: str) -> int:
    """In how many bits two perceptual hashes (hex) differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()
