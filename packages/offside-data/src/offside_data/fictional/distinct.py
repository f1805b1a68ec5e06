"""Pictures so far; a new one that looks nearly like another is drawn again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from offside_data.errors import DatasetError
from offside_data.fictional.scenes import encode_png
from offside_data.images.hashing import ImageHashes, hash_image

DUPLICATE_RADIUS = 8
"""Pictures whose perceptual hashes differ in no more bits count as near duplicates."""
_ATTEMPTS = 500


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished picture: its PNG bytes, its hashes, and which attempt (from 0) it is."""

    data: bytes
    hashes: ImageHashes
    attempt: int


class DistinctPictures:
    """Draws pictures one by one. How one looks depends on those before it, never on those after."""

    def __init__(self) -> None:
        self._hashes: list[int] = []
        self._keys: list[str] = []

    def draw(self, key: str, attempt_at: Callable[[int], Image.Image], *, like: str | None = None) -> Drawing:
        """Take the first attempt that is no near duplicate of a picture so far.

        Args:
            key: The new picture's key.
            attempt_at: Draws attempt 0, 1, 2, ...
            like: Key of the one picture that the new one may resemble.

        Raises:
            DatasetError: If no attempt is different enough.
        """
        for attempt in range(_ATTEMPTS):
            picture = attempt_at(attempt)
            data = encode_png(picture)
            hashes = hash_image(data, picture)
            if self._near(hashes.phash) <= {like}:
                self._hashes.append(int(hashes.phash, 16))
                self._keys.append(key)
                return Drawing(data, hashes, attempt)
        raise DatasetError(f"{key}: no picture unlike all others in {_ATTEMPTS} attempts; try another seed.")

    def _near(self, phash: str) -> set[str | None]:
        distances = np.bitwise_count(np.array(self._hashes, dtype=np.uint64) ^ np.uint64(int(phash, 16)))
        return {self._keys[index] for index in np.flatnonzero(distances <= DUPLICATE_RADIUS)}
