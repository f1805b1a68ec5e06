"""Pictures inside a ZIP archive, as published next to the texts; nothing is unpacked onto the disk."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from offside_data.adapters._values import UnusableError
from offside_data.images.decode import MAX_BYTES

_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)


class Archive:
    """The files of an archive by name.

    Args:
        path: The archive.

    Raises:
        UnusableError: If it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: dict[str, list[zipfile.ZipInfo]] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    self._members.setdefault(PurePosixPath(member.filename).name, []).append(member)
        except _DAMAGED as error:
            raise UnusableError(f"{path.name} can't be read as a ZIP archive: {error}") from error

    def read(self, name: str) -> bytes | None:
        """The bytes of the file whose path agrees with `name` in most folders from its end; null if there is none.

        Raises:
            UnusableError: If several do, or the file is damaged or too large.
        """
        wanted = PurePosixPath(name).parts
        found = self._members.get(wanted[-1] if wanted else "", [])
        if not found:
            return None
        agreeing = [_common_end(PurePosixPath(member.filename).parts, wanted) for member in found]
        best = [member for member, count in zip(found, agreeing, strict=True) if count == max(agreeing)]
        if len(best) > 1:
            listed = ", ".join(member.filename for member in best)
            raise UnusableError(f"{self._path.name} has several pictures that {name!r} may mean: {listed}")
        if best[0].file_size > MAX_BYTES:
            raise UnusableError(f"{best[0].filename} in {self._path.name} is larger than {MAX_BYTES // 2**20} MiB")
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(best[0]) as file:
                return file.read(MAX_BYTES)
        except _DAMAGED as error:
            raise UnusableError(f"{best[0].filename} in {self._path.name} is damaged: {error}") from error


def _common_end(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(reversed(left), reversed(right), strict=False):
        if a != b:
            break
        count += 1
    return count
