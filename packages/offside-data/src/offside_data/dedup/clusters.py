"""Pictures, clusters of them that show the same, and which one of a cluster is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from offside_data.dedup.second_look import SecondLookResult
from offside_data.images.hashing import hamming

_PUBLIC_DOMAIN = ("cc0", "pddl", "pdm", "unlicense", "public domain")
_OPEN = ("cc-by", "mit", "apache", "bsd", "odc-by", "odbl", "cdla", "ogl", "gfdl")
_UNSTATED = ("", "unknown", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedPicture:
    """What de-duplication knows of a picture without opening it.

    Args:
        key: Its image_id, or the path of a file.
        content: Equal for equal pixels, e.g. their SHA-256.
        hashes: Perceptual hashes as hex digits: one, or one for each part of the picture.
        width: In pixels.
        height: In pixels.
        license: Its licence, null where none is stated.
        origin: Key of the picture that it is declared to be made from.
        home: The other dataset that it lies in; empty for the one that is looked through.
        splits: Splits of the records about it.
        subjects: Subjects of the records about it.
    """

    key: str
    content: str
    hashes: tuple[str, ...]
    width: int
    height: int
    license: str | None = None
    origin: str | None = None
    home: str = ""
    splits: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key, and where it lies if that is elsewhere."""
        return f"{self.key} ({self.home})" if self.home else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A picture of a cluster, compared with the one that is kept.

    Args:
        picture: The picture.
        distance: In how many bits the nearest of its hashes differs from one of the keeper's.
        second_look: What the second look said of it and the keeper; null if their pixels are equal.
    """

    picture: HashedPicture
    distance: int
    second_look: SecondLookResult | None

    @property
    def like_keeper(self) -> bool:
        """Whether it shows the same as the keeper itself, not only as another picture of the cluster."""
        return self.second_look is None or self.second_look.same


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Pictures that show the same: the one to keep, and the others."""

    keeper: HashedPicture
    others: tuple[Member, ...]

    @property
    def pictures(self) -> tuple[HashedPicture, ...]:
        """All of them, the keeper first."""
        return (self.keeper, *(member.picture for member in self.others))


def choose_keeper(pictures: Iterable[HashedPicture]) -> HashedPicture:
    """The picture to keep: from another dataset if one is, then most pixels, freest licence, lowest key."""
    return min(pictures, key=lambda p: (not p.home, -p.width * p.height, _strictness(p.license), p.key))


def hash_distance(a: HashedPicture, b: HashedPicture) -> int:
    """In how many bits the nearest hashes of two pictures differ; 0 where they have none."""
    return min((hamming(first, second) for first in a.hashes for second in b.hashes), default=0)


def _strictness(license: str | None) -> int:
    """How much a licence asks of whoever uses the picture; nothing stated is the most."""
    text = (license or "").casefold()
    if text in _UNSTATED:
        return 9
    if text.startswith(_PUBLIC_DOMAIN):
        return 0
    if not text.startswith(_OPEN):
        return 8
    parts = text.split("-")
    return 1 + ("sa" in parts) + 2 * ("nc" in parts) + 4 * ("nd" in parts)
