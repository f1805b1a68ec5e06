"""Single compressed files: gzip, bzip2, xz, lzma, Zstandard, LZ4."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import IO, Any, cast

import pyarrow as pa

from offside_data.takedown.readers._base import Blob, Piece, Text, decodings

_LETTERS = re.compile(rb"(?:[\x20-\x7e]|[\xc3-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}){8,}")
_BEHIND = 2**24
"""Bytes of the end of a file in which plain letters are looked for."""


def _arrow(codec: str) -> Callable[[IO[bytes]], Any]:
    return lambda stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), codec)


_KINDS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"\x5d\0\0": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _arrow("zstd"),
    b"\x04\x22\x4d\x18": _arrow("lz4"),
}


def recognises(blob: Blob) -> bool:
    """By its signature."""
    return blob.head.startswith(tuple(_KINDS))


def read(blob: Blob) -> Iterator[Piece]:
    """What is in it, and what its header says (gzip: a name, a comment)."""
    opener = next(opener for magic, opener in _KINDS.items() if blob.head.startswith(magic))
    if opener is _KINDS[b"\x1f\x8b"]:
        for said in decodings(blob.head[:512]):
            yield Text(said, "header")
    with blob.open() as stream, opener(stream) as content:
        yield blob.within(PurePath(blob.name).stem, cast(IO[bytes], content))
    # Unpackers pass over what stands after the end, or in frames to be skipped.
    with blob.open() as stream:
        stream.seek(-min(blob.size, _BEHIND), io.SEEK_END)
        yield Text("\n".join(run.decode() for run in _LETTERS.findall(stream.read())), "beside what is packed")


def example(text: str) -> tuple[str, bytes]:
    """A log."""
    return "log.gz", gzip.compress(text.encode())
