"""Pictures, clusters of them that show the same, and which one of a cluster is kept."""

from __future__ import annotations

import hashlib
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
        file: Its file as the source calls it; empty where that isn't known.
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
    file: str = ""

    @property
    def name(self) -> str:
        """File and key, and where it lies if that is elsewhere."""
        name = f"{self.file} ({self.key})" if self.file else self.key
        return f"{name} in {self.home}" if self.home else name


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """Two pictures with near hashes that the second look doesn't call the same."""

    a: HashedPicture
    b: HashedPicture
    distance: int
    second_look: SecondLookResult

    def as_cluster(self, keep: str | None = None) -> Cluster:
        """Both as a cluster, for when a person says that they are one picture."""
        keeper = choose_keeper((self.a, self.b), keep)
        other = self.b if keeper is self.a else self.a
        member = Member(picture=other, distance=self.distance, second_look=self.second_look)
        return Cluster(keeper=keeper, others=(member,))


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
    """Pictures that show the same: the one to keep, and the others.

    Args:
        keeper: The one to keep.
        others: The others.
        look_alikes: Pairs among the others that differ in some place, though each is like another one.
    """

    keeper: HashedPicture
    others: tuple[Member, ...]
    look_alikes: tuple[LookedAt, ...] = ()

    @property
    def pictures(self) -> tuple[HashedPicture, ...]:
        """All of them, the keeper first."""
        return (self.keeper, *(member.picture for member in self.others))

    @property
    def name(self) -> str:
        """What it is called on the command line: the same as long as it holds the same pictures."""
        text = "\n".join(sorted(f"{picture.home} {picture.key}" for picture in self.pictures))
        return "c" + hashlib.sha256(text.encode()).hexdigest()[:8]


def choose_keeper(pictures: Iterable[HashedPicture], keep: str | None = None) -> HashedPicture:
    """The picture to keep: from another dataset if one is, then most pixels, freest licence, lowest key.

    Args:
        pictures: A cluster's.
        keep: Key of the one that a person chose, if it is among them.
    """

    def place(picture: HashedPicture) -> tuple[bool, bool, int, int, str]:
        size = picture.width * picture.height
        return picture.key != keep, not picture.home, -size, _strictness(picture.license), picture.key

    return min(pictures, key=place)


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
