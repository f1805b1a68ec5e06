"""Small text files of a folder that anybody may have made: regular files only, of bounded size, in UTF-8.

Every card, taxonomy, config, journal and manifest is opened here. A pipe would be waited for without end, and a link
to a device that never ends would be read until memory does.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from offside_data.errors import FileError, OffsideError
from offside_data.limits import TEXT, Limit

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a disk",
    stat.S_IFSOCK: "a socket",
}
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def read_small(
    path: str | Path,
    *,
    error: type[OffsideError] = FileError,
    limit: Limit = TEXT,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> str:
    """The text of a small file, its lines ended as on Unix.

    Args:
        path: The file; links are followed.
        error: What to raise where it isn't one.
        limit: How large it may be.
        encoding: UTF-8, or `utf-8-sig` where a mark at its beginning may be.
        errors: What is done with bytes that are none, as `bytes.decode` takes it.

    Raises:
        OffsideError: An `error`, if it is no regular file, too large, or no UTF-8 text; the message names the file.
        OSError: If it isn't there or can't be opened, as `open` raises it.
    """
    data = read_bounded(path, limit, error=error)
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as problem:
        raise error(f"{path}: can't be read as UTF-8 text: {problem}. Save it as UTF-8.") from problem
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bounded(path: str | Path, limit: Limit, *, error: type[OffsideError] = FileError) -> bytes:
    """The bytes of a regular file that is no larger than a limit.

    Raises:
        OffsideError: An `error`, if it is no regular file or too large; the message names the file.
        OSError: As `read_small`.
    """
    try:
        number = os.open(path, _FLAGS)  # Not waiting: a pipe opens at once, too.
    except ValueError as problem:  # A name with a null in it.
        raise error(f"{str(path)!r}: can't be a file's name: {problem}.") from problem
    with open(number, "rb") as stream:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "something else")
            raise error(f"{path}: {kind}, not a regular file. Put the file itself there.")
        data = stream.read(limit.most + 1)
    if len(data) > limit.most:
        raise error(f"{path}: larger than {limit}, the most that is read of {limit.of}.")
    return data
