"""What a reader of the proof is, and what it hands over.

A reader is a module with a docstring (its first line says what kind of file it reads) that defines

* `recognises(blob) -> bool`: whether a file is of its kind, by its first bytes rather than by its name; never raises
  but what reading the file raises;
* `read(blob) -> Iterator[Piece]`: everything in it: texts, pictures, files within it, and what can't be read and why;
* `example(text) -> tuple[str, bytes]`: name and content of a small file of that kind in which `text` stands. The
  contract tests look for it there.

Every reader that recognises a file reads it. It may raise one of `BROKEN`: the file counts as not read then, and so
does one that no reader recognises. So a reader needn't be complete, but it must never pass over anything in silence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import lzma
import os
import sqlite3
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from offside_data.errors import OffsideError
from offside_data.images.decode import MAX_BYTES
from offside_data.plugins import Registry

READERS = Registry(
    "offside_data.takedown.readers",
    "reader",
    needs={"__doc__": str, "recognises": Callable, "read": Callable, "example": Callable},
    contract=__name__,
)
"""All readers, ours and third parties'."""
BROKEN: tuple[type[Exception], ...] = (
    *(OSError, ValueError, LookupError, ArithmeticError, EOFError, TypeError, AttributeError, RuntimeError),
    *(MemoryError, NotImplementedError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    *(zipfile.LargeZipFile, tarfile.TarError, sqlite3.Error, pa.ArrowException, OffsideError, SyntaxError),
)
"""What libraries raise on files that aren't what they seem."""
HEAD = 4096
"""Bytes by which a file is recognised."""
_BLOCK = 1 << 20


class TooLargeError(OffsideError):
    """There is more in a file than is read of one."""


@dataclass(slots=True)
class Allowance:
    """How much one file of the folder may unpack to, so that no bomb goes off; shared by all that is within it.

    Args:
        size: Bytes that are left.
        members: Files within files that are left.
        depth: How deep files may lie in files.
    """

    size: int = 4 * 2**30
    members: int = 200_000
    depth: int = 6

    def take(self, size: int) -> None:
        """Count what was unpacked.

        Raises:
            TooLargeError: If nothing is left.
        """
        self.size -= size
        if self.size < 0:
            raise TooLargeError("it unpacks to more than is read of one file.")

    def member(self) -> None:
        """Count a file within a file.

        Raises:
            TooLargeError: If it is one too many.
        """
        self.members -= 1
        if self.members < 0:
            raise TooLargeError("it holds more files than are read of one.")


@dataclass(kw_only=True)
class Blob:
    """A file, or what lies in one.

    Args:
        name: Its file name; what it is may be guessed by it.
        path: Where it lies, if it is a file by itself.
        data: Its content, if it lies in another.
        allowance: How much it may unpack to.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None
    allowance: Allowance = field(default_factory=Allowance)

    @functools.cached_property
    def size(self) -> int:
        """In bytes."""
        return len(self.data) if self.path is None and self.data is not None else os.stat(str(self.path)).st_size

    @functools.cached_property
    def head(self) -> bytes:
        """Its first bytes."""
        with self.open() as stream:
            return stream.read(HEAD)

    def open(self) -> IO[bytes]:
        """A stream of its bytes."""
        return open(self.path, "rb") if self.path is not None else io.BytesIO(self.data or b"")

    @functools.cached_property
    def content(self) -> bytes:
        """All of it.

        Raises:
            TooLargeError: If that is more than is read at once.
        """
        if self.size > MAX_BYTES:
            raise TooLargeError(f"larger than {MAX_BYTES // 2**20} MiB.")
        if self.path is None:
            return self.data or b""
        return self.path.read_bytes()

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """A path to it, for libraries that read no streams."""
        if self.path is not None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="offside-read-") as folder:
            path = Path(folder, "content")
            path.write_bytes(self.data or b"")
            yield path

    def within(self, name: str, stream: IO[bytes]) -> Piece:
        """What is read of a file within this one, as far as it may be.

        Raises:
            TooLargeError: If no more may be unpacked.
        """
        self.allowance.member()
        chunks, size = [], 0
        while chunk := stream.read(_BLOCK):
            size += len(chunk)
            self.allowance.take(len(chunk))
            if size > MAX_BYTES:
                return Unread(f"larger than {MAX_BYTES // 2**20} MiB.", name)
            chunks.append(chunk)
        return Nested(name, b"".join(chunks))


@dataclass(frozen=True, slots=True)
class Text:
    """A text to look for names in.

    Args:
        text: The text.
        place: Where in the file: a page, a column, …; empty if lines tell.
        first_line: Number of its first line; null if its lines mean nothing to somebody who opens the file.
    """

    text: str
    place: str = ""
    first_line: int | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Short texts to look for names and, if they are whole ids, for ids in; each distinct one once.

    Args:
        texts: The texts.
        place: Where in the file a text stands, by its number in `texts`; asked only for what is found.
        may_be_ids: Whether one of them may be an id.
    """

    texts: Sequence[str]
    place: Callable[[int], str]
    may_be_ids: bool = True

    @classmethod
    def of(cls, texts: Mapping[str, str], *, may_be_ids: bool = True) -> Values:
        """Texts with their places."""
        places = list(texts.values())
        return cls(list(texts), places.__getitem__, may_be_ids)


@dataclass(frozen=True, slots=True)
class Nested:
    """A file within a file."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """An encoded picture, to be compared with those of who was taken down."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """What can't be read, and why; a sentence."""

    why: str
    place: str = ""


Piece = Text | Values | Nested | EncodedPicture | Unread


def decodings(data: bytes) -> Iterator[str]:
    """What bytes say in every encoding that they are likely to be in."""
    with contextlib.suppress(UnicodeDecodeError):
        yield data.decode("utf-8")
        if b"\0" not in data:
            return
    for encoding in _SINGLE_BYTE:
        yield data.decode(encoding, errors="replace")
    if b"\0" in data:
        for start in (0, 1):
            for encoding in ("utf-16-le", "utf-16-be"):
                yield data[start:].decode(encoding, errors="replace")
        for start in range(4):
            for encoding in ("utf-32-le", "utf-32-be"):
                yield data[start:].decode(encoding, errors="replace")


_SINGLE_BYTE = ("cp1252", "mac_roman", "cp850", "iso8859_2", "cp1251")
"""Western as Windows, as the Macintosh and as DOS had it, Central European, Cyrillic."""


def plain(value: Any) -> Iterator[str]:
    """All texts in a plain value: of dicts, lists, strings, bytes, and objects of several fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield from decodings(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from plain(key)
            yield from plain(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from plain(dataclasses.asdict(value))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from plain(item)
    elif value is not None:
        yield str(value)
