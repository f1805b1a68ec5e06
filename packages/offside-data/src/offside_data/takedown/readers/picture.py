"""Pictures: what they show, by hashes, and every text in their metadata and after their end."""

from __future__ import annotations

import contextlib
import io
import warnings
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image, PngImagePlugin

from offside_data.images.decode import BROKEN, FORMATS
from offside_data.images.strip import stripped_bytes
from offside_data.takedown.readers._base import Blob, EncodedPicture, Nested, Piece, Text, decodings

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_IFDS = (0x8769, 0x8825, 0xA005)  # Parts of EXIF beside the main one: the camera's, the position, the format's.
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_CONTAINERS = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")


def recognises(blob: Blob) -> bool:
    """By its signature."""
    head = blob.head
    return head.startswith(_SIGNATURES) or head[8:12] == b"WEBP" or head[4:8] == b"ftyp"


def read(blob: Blob) -> Iterator[Piece]:
    """The picture, the texts around it, and other files that hang on it: thumbnails, an archive after its end."""
    data = blob.content
    yield EncodedPicture(data)
    for text in metadata_texts(data):
        yield Text(text, "metadata of the picture")
    for text in _profile_texts(data):
        yield Text(text, "colour profile of the picture")
    for number, part in enumerate(stripped_bytes(data), 1):
        start = part.find(_JPEG)
        if start >= 0 and part is not data:
            end = part.find(_JPEG_END, start)
            yield Nested(f"thumbnail {number}", part[start : end + 2 if end >= 0 else None])
        for magic in _CONTAINERS:
            if magic in part and part is not data:
                yield Nested(f"after the picture {number}", part[part.index(magic) :])


def _profile_texts(data: bytes) -> list[str]:
    """The texts in a colour profile, which stays when metadata is cut out."""
    with contextlib.suppress(*BROKEN, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return list(_texts(picture.info.get("icc_profile") or b""))
    return []  # What can't be opened is told of by whoever decodes it.


def metadata_texts(data: bytes) -> list[str]:
    """The texts in a picture's file: comments, EXIF, IPTC, XMP, private parts, bytes after its end."""
    parts = stripped_bytes(data)
    if not parts:
        return []
    found = [text for part in parts for text in _texts_of(part)]
    with contextlib.suppress(*BROKEN, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.load()  # A PNG may have texts after its pixels.
            exif = picture.getexif()
            values = [value for key, value in picture.info.items() if key != "icc_profile"]
            values += [*exif.values(), *(value for part in _IFDS for value in exif.get_ifd(part).values())]
            found += _texts(values)
    return list(dict.fromkeys(found))


def _texts_of(part: bytes) -> Iterator[str]:
    yield from decodings(part)
    place = part.find(b"\0\0")  # Compressed texts of PNG: a keyword, a zero, the method, the text.
    if part[4:8] in (b"zTXt", b"iTXt", b"iCCP") or place >= 0:
        for start in (place for place in range(min(len(part), 256)) if part[place : place + 1] == b"\x78"):
            with contextlib.suppress(zlib.error):
                unpacked = zlib.decompressobj().decompress(part[start:], PngImagePlugin.MAX_TEXT_MEMORY)
                yield from decodings(unpacked)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield from decodings(value)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, Iterable):
        for item in value:
            yield from _texts(item)


def example(text: str) -> tuple[str, bytes]:
    """A PNG with a compressed text."""
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("Comment", text, zip=True)
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=info)
    return "dot.png", buffer.getvalue()
