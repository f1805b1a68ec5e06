"""Archives: zip and what is built on it (xlsx, docx, odt, epub, npz, jar), and tar, compressed or not."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from typing import cast

from offside_data.images.decode import MAX_BYTES
from offside_data.takedown.readers._base import Blob, Piece, Text, Unread

_ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_ZIP_END, _ZIP_END_SIZE, _END_WITHIN = b"PK\5\6", 22, 65_600
_SHORTEST_EXTRA = 8
"""Bytes of a header of a member in which a name may stand."""
_ENCRYPTED = 0x1
_TAR_AT, _TAR = 257, b"ustar"


def recognises(blob: Blob) -> bool:
    """By their signatures; a zip may begin with something else, which is why its end is looked at."""
    if blob.head.startswith(_ZIP) or blob.head[_TAR_AT:].startswith(_TAR):
        return True
    with blob.open() as stream:
        stream.seek(-min(blob.size, _END_WITHIN), io.SEEK_END)
        return _ZIP_END in stream.read()


def read(blob: Blob) -> Iterator[Piece]:
    """Names, comments and contents of all members."""
    with blob.open() as stream:
        if blob.head[_TAR_AT:].startswith(_TAR):
            yield from _tar(blob, cast(io.BufferedReader, stream))
        elif blob.head.startswith(_ZIP) or zipfile.is_zipfile(stream):
            stream.seek(0)
            yield from _zip(blob, cast(io.BufferedReader, stream))


def _zip(blob: Blob, stream: io.BufferedReader) -> Iterator[Piece]:
    with zipfile.ZipFile(stream) as archive:
        # No program shows what stands around the members: another archive, a text, members taken out of the list.
        yield from _around(blob, stream, min((m.header_offset for m in archive.infolist()), default=archive.start_dir))
        yield Text(archive.comment.decode("utf-8", errors="replace"), "comment of the archive")
        for member in archive.infolist():
            yield Text(member.filename, "name of a member")
            if member.comment:
                yield Text(member.comment.decode("utf-8", errors="replace"), f"comment of {member.filename}")
            if len(member.extra) >= _SHORTEST_EXTRA:
                yield Text(member.extra.decode("utf-8", errors="replace"), f"header of {member.filename}")
            if member.flag_bits & _ENCRYPTED:
                yield Unread("encrypted; unpack it, and delete or search what is in it.", member.filename)
            elif not member.is_dir():
                try:
                    with archive.open(member) as content:
                        yield blob.within(member.filename, content)
                except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
                    yield Unread(f"it can't be unpacked: {error}.", member.filename)


def _around(blob: Blob, stream: io.BufferedReader, start: int) -> Iterator[Piece]:
    """What stands before the first member, and after the end."""
    if start > MAX_BYTES:
        yield Unread(f"what stands before its members is larger than {MAX_BYTES // 2**20} MiB.")
    elif start:
        stream.seek(0)
        yield blob.within("before the archive", io.BytesIO(stream.read(start)))
    stream.seek(-min(blob.size, _END_WITHIN), io.SEEK_END)
    end = stream.read()
    at = end.rfind(_ZIP_END)
    rest = end[at + _ZIP_END_SIZE + int.from_bytes(end[at + _ZIP_END_SIZE - 2 : at + _ZIP_END_SIZE], "little") :]
    if rest:
        yield blob.within("after the archive", io.BytesIO(rest))


def _tar(blob: Blob, stream: io.BufferedReader) -> Iterator[Piece]:
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            said = [member.name, member.linkname, member.uname, member.gname, *map(str, member.pax_headers.values())]
            yield Text("\n".join(said), "name of a member")
            if member.isfile() and (content := archive.extractfile(member)) is not None:
                yield blob.within(member.name, content)
            elif not (member.isdir() or member.issym() or member.islnk()):
                yield Unread("neither a file nor a folder nor a link.", member.name)
        stream.seek(archive.offset)
        while (block := stream.read(tarfile.BLOCKSIZE)) and not block.strip(b"\0"):
            pass
        if block:  # Behind its end: another archive, for example.
            stream.seek(-len(block), io.SEEK_CUR)
            yield blob.within("after the archive", stream)


def example(text: str) -> tuple[str, bytes]:
    """A zip in a zip."""
    data = text.encode("cp1252", errors="replace")
    for name in ("inner.txt", "inner.zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        data = buffer.getvalue()
    return "outer.zip", data
