"""Is all of a picture there: what decoders let pass because it shows anyway.

Pillow takes a PNG whose end was cut off, one with fewer rows of pixels than it says, a palette that is missing, a GIF
without its end, and a JPEG that claims a thousand times the area that its data can describe (it is grey there). A file
that was cut off in a download is such a one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers of channels by a PNG's kind of colours."""
_PALETTE = 3
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Where the passes of an interlaced PNG begin, and their steps: across, down."""
_STEP = 1 << 20
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers of a JPEG that no length follows."""


def what_is_missing(data: bytes, kind: str) -> str:
    """What isn't there of an encoded picture that could be opened; empty if nothing is known to be missing.

    Args:
        data: Its bytes.
        kind: Its format, as Pillow names it. Of others than PNG, GIF and JPEG nothing is known.
    """
    look = {"PNG": _png, "GIF": _gif, "JPEG": _jpeg, "MPO": _jpeg}.get(kind)
    try:
        return look(data) if look is not None else ""
    except (struct.error, IndexError):
        return "it is cut off"


def _png(data: bytes) -> str:
    chunks = list(_chunks(data))
    kinds = [kind for kind, _, _ in chunks]
    if b"IEND" not in kinds:
        return "its end (IEND) is missing"
    header = data[16:29]
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    first = kinds.index(b"IDAT") if b"IDAT" in kinds else len(kinds)
    if colours == _PALETTE and b"PLTE" not in kinds[:first]:
        return "its palette (PLTE) is missing"
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _PASSES]
    bits = depth * _PNG_CHANNELS.get(colours, 1)
    wanted = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
    found = _inflated(data[start:end] for kind, start, end in chunks if kind == b"IDAT")
    return f"{wanted - found:,} of {wanted:,} bytes of its pixels are missing" if found < wanted else ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of a PNG's chunks that are whole, up to its end."""
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if at + 12 + size > len(data):
            return
        kind = data[at + 4 : at + 8]
        yield kind, at + 8, at + 8 + size
        if kind == b"IEND":
            return
        at += 12 + size


def _inflated(parts: Iterator[bytes]) -> int:
    """How many bytes come out of a zlib stream in parts, never more than a little of them at once."""
    stream, found = zlib.decompressobj(), 0
    for part in parts:
        while part and not stream.eof:
            found += len(stream.decompress(part, _STEP))
            part = stream.unconsumed_tail
    return found


def _gif(data: bytes) -> str:
    at = 13 + _colours(data[10])
    while (mark := data[at]) != 0x3B:
        if mark == 0x2C:  # A picture: its place and size, maybe colours, then the depth of its codes.
            at += 10 + _colours(data[at + 9]) + 1
        elif mark == 0x21:
            at += 2
        else:
            return "" if mark == 0 else "it is cut off, or something else follows its pixels"
        while size := data[at]:
            at += 1 + size
        at += 1
    return ""


def _colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _jpeg(data: bytes) -> str:
    """Huffman codes take a bit at least: two of a block in a baseline JPEG, one in a progressive one."""
    at, blocks, bits = 2, 0, 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        if marker in (*_BASELINE, *_PROGRESSIVE):
            height, width, parts = struct.unpack_from(">HHB", data, at + 5)
            factors = [data[at + 11 + 3 * part] for part in range(parts)]
            across, down = max(f >> 4 for f in factors) or 1, max(f & 15 for f in factors) or 1
            blocks = sum(-(-width * (f >> 4) // (8 * across)) * -(-height * (f & 15) // (8 * down)) for f in factors)
            bits = 2 if marker in _BASELINE else 1
        if marker == 0xDA:
            break
        at += 2 + size
    if blocks * bits > 8 * (len(data) - at):
        return f"it says {width} x {height} pixels, of which most aren't there"
    return ""
