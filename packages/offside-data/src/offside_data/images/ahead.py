"""The processes that look at an import's pictures: they begin while the table that names them is still being read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from offside_data.errors import PictureError
from offside_data.images.decode import read_bytes
from offside_data.images.hashing import ImageHashes, hash_image
from offside_data.images.normalise import normalise_image
from offside_data.processes import Workers, process_count

BATCH = 16
"""Pictures that a process takes at a time."""
_WORTH_SHARING = 500
"""Pictures from which on a second process pays for its start."""

Roots = tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A file that is stored as it is.

    Args:
        hashes: Of its bytes, by which they are known again, and of its pixels.
        name: The file name it is stored under.
        changes: What differs from the source, in words.
    """

    hashes: ImageHashes
    name: str
    changes: tuple[str, ...]


class PictureWork:
    """Processes that know where pictures may lie; used in a `with` block.

    Args:
        roots: Folders that pictures must lie in, links followed.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self._open = contextlib.ExitStack()
        self._workers: Workers[Roots] | None = None
        self._expected: list[tuple[Path, ...]] = []
        self._begun: list[Future[list[tuple[Path, SeenPicture]]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def expect(self, places: Sequence[Path]) -> None:
        """Have a picture looked at meanwhile, if there are many of them.

        Args:
            places: Where it may lie, the likeliest place first.
        """
        self._expected.append(tuple(places))
        enough = BATCH if self._begun else _WORTH_SHARING
        if len(self._expected) >= enough and process_count() > 1:
            workers = self.workers(len(self._expected))
            for start in range(0, len(self._expected), BATCH):
                self._begun.append(workers.begin(_look, self._expected[start : start + BATCH]))
            self._expected = []

    def workers(self, pictures: int) -> Workers[Roots]:
        """The processes; this one alone where a second wouldn't pay for so many pictures, and none has begun."""
        if self._workers is None:
            count = process_count() if pictures >= _WORTH_SHARING else 1
            self._workers = self._open.enter_context(Workers(self.roots, count))
        return self._workers

    def seen(self) -> dict[Path, SeenPicture]:
        """What was seen so far, by file; what hasn't begun won't be looked at.

        Raises:
            DatasetError: If a process was killed.
        """
        done = [future for future in self._begun if not future.cancel()]
        self._begun = []
        return dict(pair for future in done for pair in self.workers(0).result(future))


def _look(roots: Roots, expected: list[tuple[Path, ...]]) -> list[tuple[Path, SeenPicture]]:
    """What there is to see of those pictures that can be used as they are; whoever loads the others says why not."""
    found = []
    for places in expected:
        path = next((path for path in places if os.path.isfile(path)), None)
        with contextlib.suppress(PictureError):
            if path is not None:
                data = read_bytes(path, roots)
                normal = normalise_image(data, str(path))
                if normal.image.bytes is data:
                    found.append(
                        (path, SeenPicture(hash_image(data, normal.pixels), normal.image.path, normal.changes))
                    )
    return found
