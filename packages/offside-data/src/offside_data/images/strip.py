"""Remove what a picture's file tells besides the picture: EXIF with its GPS position, XMP, IPTC, comments, thumbnails.

The file is cut, not encoded anew: what is left decodes to the same pixels in the same colours. Of EXIF only the
orientation stays, alone, where the picture is turned. Bytes after the picture's end (other pictures, films) go too.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from offside_data.images.decode import BROKEN, ORIENTATION, decode_image, open_image, orientation, shown_pixels


def strip_metadata(data: bytes, where: str = "the picture") -> bytes:
    """An encoded picture without metadata: same pixels, same colour profile, shown the same way up.

    JPEG, PNG, WebP, GIF and BMP are cut without encoding them anew, and decoded again to make sure. What can't be cut
    (TIFF, HEIF, AVIF, an odd file) comes back as a PNG of the pixels that a viewer shows.

    Args:
        data: Encoded bytes.
        where: Name of the picture in errors.

    Returns:
        The stripped bytes; the same object if there is nothing to strip.

    Raises:
        PictureError: If it isn't a readable picture.
    """
    with open_image(data, where) as picture:
        cut, turned = _CUTTERS.get(str(picture.format)), orientation(picture)
        picture.load()
        pixels = shown_pixels(picture, where)
    if cut is not None:
        with contextlib.suppress(*BROKEN):
            stripped = b"".join(cut(data, _exif(turned)))
            if stripped == data:
                return data
            if decode_image(stripped, where).tobytes() == pixels.tobytes():
                return stripped
    buffer = io.BytesIO()
    Image.frombytes("RGB", pixels.size, pixels.tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def has_metadata(data: bytes) -> bool:
    """Whether `strip_metadata` may find something to strip, told without decoding the picture.

    Also true of what only decoding can tell, and of a turned picture, which keeps its orientation.
    """
    for start, format in _SIGNATURES.items():
        if data.startswith(start):
            with contextlib.suppress(*BROKEN):
                return b"".join(_CUTTERS[format](data, b"")) != data
    return True


def stripped_bytes(data: bytes) -> list[bytes]:
    """What `strip_metadata` would cut out of a picture's file, piece by piece; all of it where it can't be cut."""
    cut = next((_CUTTERS[format] for start, format in _SIGNATURES.items() if data.startswith(start)), None)
    if cut is None or cut is _cut_bmp:
        return [data]
    found, position = [], 0
    with contextlib.suppress(*BROKEN):
        for kept in cut(data, b""):
            start = data.find(kept, position)
            if start >= 0:  # Else it is written anew: what it was made of counts as cut.
                found.append(data[position:start])
                position = start + len(kept)
    return [piece for piece in (*found, data[position:]) if piece]


def _exif(turned: int) -> bytes:
    """EXIF that says nothing but the orientation; empty for an upright picture."""
    if turned == 1:
        return b""
    # A TIFF header and one directory of one entry: tag, type (short), count, value.
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, ORIENTATION, 3, 1, turned, 0, 0)


# ---------------------------------------------------------------------------------------------
# JPEG: segments FF MARKER LENGTH CONTENT, and after each SOS the coded pixels

_APP0, _APP1, _APP2, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # In coded pixels FF 00 is a byte and FF D0-D7 a restart.


def _cut_jpeg(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield data[:2]
    position, waiting = 2, b"Exif\0\0" + exif if exif else b""
    while position < len(data):
        position = data.index(b"\xff", position)  # Readers pass over bytes between segments.
        while data[position] == 0xFF:  # Any number of them may precede a marker.
            position += 1
        marker = data[position]
        position += 1
        if waiting and marker != _APP0:
            yield _segment(_APP1, waiting)
            waiting = b""
        if marker == _EOI:
            yield bytes((0xFF, _EOI))
            return
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise ValueError(f"a JPEG segment of length {length} at byte {position}")
        content = data[position + 2 : position + length]
        position += length
        if marker == _APP0 and content.startswith(b"JFIF\0"):
            yield _segment(marker, content[:12] + b"\0\0")  # Its last two bytes are the size of a thumbnail.
        elif _is_picture(marker, content):
            yield _segment(marker, content)
        if marker == _SOS:
            end = _NEXT_MARKER.search(data, position)
            # Any number of FF may stand before the marker's own.
            yield data[position : end.start()].rstrip(b"\xff") if end else data[position:]
            position = end.start() if end else len(data)


def _is_picture(marker: int, content: bytes) -> bool:
    """Whether pixels or colours depend on a segment."""
    if marker == _APP2:
        return content.startswith(b"ICC_PROFILE\0")
    if marker == _APP14:
        return content.startswith(b"Adobe")  # It says which colour space the numbers are in.
    return marker != _COMMENT and not _APP0 <= marker <= _APP15


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


# ---------------------------------------------------------------------------------------------
# PNG: chunks LENGTH NAME CONTENT CHECKSUM

_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs hIST acTL fcTL fdAT".split()
)


def _cut_png(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield data[:8]
    position, name = 8, b""
    while name != b"IEND" and position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IDAT" and exif:
            yield struct.pack(">I4s", len(exif), b"eXIf") + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
            exif = b""
        if name in _PNG_KEPT:
            yield data[position : position + length + 12]
        position += length + 12


# ---------------------------------------------------------------------------------------------
# WebP: RIFF chunks NAME LENGTH CONTENT, padded to an even length

_WEBP_KEPT = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP")
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04  # Flags in VP8X that say what is there.


def _cut_webp(data: bytes, exif: bytes) -> Iterator[bytes]:
    (size,) = struct.unpack_from("<I", data, 4)
    position, end = 12, min(len(data), 8 + size)
    chunks = []
    while position + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, position)
        content = data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
        if name == b"VP8X":
            flags = content[0] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if exif else 0)
            chunks.append(_chunk(name, bytes((flags,)) + content[1:]))
        elif name in _WEBP_KEPT:
            chunks.append(_chunk(name, content))
    if exif:
        chunks.append(_chunk(b"EXIF", exif))
    body = b"WEBP" + b"".join(chunks)
    yield _chunk(b"RIFF", body)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


# ---------------------------------------------------------------------------------------------
# GIF: a header, then blocks, each a fixed beginning and a chain of sub-blocks

_GIF_EXTENSION, _GIF_FRAME, _GIF_END = 0x21, 0x2C, 0x3B
_GIF_COMMENT, _GIF_APPLICATION = 0xFE, 0xFF
_GIF_LOOP = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _cut_gif(data: bytes, exif: bytes) -> Iterator[bytes]:
    position = 13 + _color_table(data[10])
    yield data[:position]
    while data[position] != _GIF_END:
        start, kind = position, data[position]
        if kind == _GIF_EXTENSION:
            label, name = data[start + 1], data[start + 3 : start + 14]
            position = _after_sub_blocks(data, start + 2)
            kept = label != _GIF_COMMENT and (label != _GIF_APPLICATION or name in _GIF_LOOP)
        elif kind == _GIF_FRAME:
            position = _after_sub_blocks(data, start + 11 + _color_table(data[start + 9]))
            kept = True
        else:
            raise ValueError(f"no GIF block at byte {start}")
        if kept:
            yield data[start:position]
    yield bytes((_GIF_END,))


def _color_table(flags: int) -> int:
    """Bytes of the colour table that a byte of flags announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, position: int) -> int:
    while data[position]:
        position += data[position] + 1
    return position + 1


def _cut_bmp(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield data  # The format has no place for metadata.


_CUTTERS: dict[str, Callable[[bytes, bytes], Iterator[bytes]]] = {
    "JPEG": _cut_jpeg,
    "MPO": _cut_jpeg,
    "PNG": _cut_png,
    "WEBP": _cut_webp,
    "GIF": _cut_gif,
    "BMP": _cut_bmp,
}
_SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"RIFF": "WEBP", b"GIF8": "GIF", b"BM": "BMP"}
