"""Which pictures nearly are one of a subject's: near by perceptual hash, and the same at a second look."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from offside_data.dataset.contents import Contents
from offside_data.dedup.near import pairs_within
from offside_data.dedup.second_look import SecondLook, small_picture
from offside_data.errors import PictureError
from offside_data.images.hashes.phash import RADIUS
from offside_data.images.hashing import ImageHashes, hash_image

__all__ = ["RADIUS", "LookAlike", "Shown", "hashes_of", "look_alikes", "pictures_of"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a dataset holds it."""

    image_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A picture that nearly is one of the subject's.

    Args:
        shown: The picture.
        like: Id of the subject's picture.
        distance: In how many bits their perceptual hashes differ.
    """

    shown: Shown
    like: str
    distance: int


@functools.lru_cache(maxsize=2**15)
def hashes_of(data: bytes) -> ImageHashes | None:
    """The hashes of a picture; null if it can't be decoded (`check` finds those)."""
    try:
        return hash_image(data)
    except PictureError:
        return None


def pictures_of(datasets: Iterable[Contents]) -> list[Shown]:
    """Every picture of some datasets once, twins included."""
    found: dict[Shown, None] = {}
    for contents in datasets:
        found |= {Shown(str(r.image_id), r.image.bytes): None for r in contents.records if r.image and r.image.bytes}
        found |= {Shown(row["image_id"], row["image"]["bytes"]): None for row in contents.images if row["image"]}
    return list(found)


def look_alikes(own: Sequence[Shown], others: Sequence[Shown], radius: int) -> Iterator[LookAlike]:
    """Those of `others` that nearly are one of `own`.

    Args:
        own: A subject's pictures.
        others: The pictures to look through.
        radius: In bits of the perceptual hash.
    """
    left = [(shown, hashes) for shown in own if (hashes := hashes_of(shown.data)) is not None]
    right = [(shown, hashes) for shown in others if (hashes := hashes_of(shown.data)) is not None]
    look = SecondLook()
    near = pairs_within([hashes.phash for _, hashes in left], [hashes.phash for _, hashes in right], radius)
    for mine, theirs, distance in near:
        (a, first), (b, second) = left[mine], right[theirs]
        small = (small_picture(shown.data, f"picture {shown.image_id}") for shown in (a, b))
        if first.pixels_sha256 == second.pixels_sha256 or look.compare(*small).same:
            yield LookAlike(b, a.image_id, distance)
