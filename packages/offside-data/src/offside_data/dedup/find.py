"""Find pictures that show the same: equal pixels, or near hashes and a second look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from offside_data.dedup.clusters import Cluster, HashedPicture, Member, choose_keeper, hash_distance
from offside_data.dedup.near import near_pairs
from offside_data.dedup.second_look import SecondLook, SecondLookResult, small_picture
from offside_data.errors import PictureError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Read = Callable[[Collection[int]], Iterator[tuple[int, bytes]]]
"""Gives the encoded bytes of the pictures at the positions asked for, in any order."""

MAX_CANDIDATES = 2_000_000
"""Pairs within the radius that are looked at; more say that the radius doesn't tell these pictures apart."""
SHOWN_REJECTED = 50
"""How many of the pairs that the second look refused are kept, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Two pictures with near hashes that don't show the same."""

    a: HashedPicture
    b: HashedPicture
    distance: int
    second_look: SecondLookResult


@dataclass(kw_only=True)
class Found:
    """What was found.

    Args:
        clusters: Pictures that show the same, larger clusters first.
        candidates: How many pairs had near hashes and were looked at.
        refused: The nearest of those that the second look refused.
        refusals: How many it refused.
        unreadable: Pictures that couldn't be decoded for the second look, and why.
    """

    clusters: list[Cluster] = field(default_factory=list)
    candidates: int = 0
    refused: list[Refused] = field(default_factory=list)
    refusals: int = 0
    unreadable: list[str] = field(default_factory=list)


def find_duplicates(
    pictures: Sequence[HashedPicture],
    read: Read,
    *,
    radius: int,
    against: Sequence[HashedPicture] | None = None,
    look: SecondLook | None = None,
) -> Found:
    """Find pictures that show the same.

    A picture is never compared with the one that it is declared to be made from, directly or in steps.

    Args:
        pictures: The pictures to look through.
        read: Gives encoded bytes by position in `[*pictures, *against]`. Only pictures with a near neighbour are asked
            for; 12 KB of each are held.
        radius: Bits in which the hashes of two pictures may differ for a second look at them.
        against: Pictures of another dataset: then pictures are only compared with these, and one of these is kept.
        look: Limits of the second look.

    Raises:
        UsageError: If hashes don't fit together, or too many pairs lie within the radius.
    """
    everything = [*pictures, *(against or ())]
    return _Search(everything, across=against is not None, radius=radius, look=look or SecondLook()).run(read)


class _Search:
    def __init__(self, pictures: list[HashedPicture], *, across: bool, radius: int, look: SecondLook) -> None:
        self.pictures, self.across, self.radius, self.look = pictures, across, radius, look
        from scipy.cluster.hierarchy import DisjointSet

        self.components = DisjointSet(range(len(pictures)))
        origins = {picture.key: picture.origin for picture in pictures}
        self.ancestors = {key: _chain(key, origins) for key in origins}
        by_content: dict[str, list[int]] = defaultdict(list)
        for position, picture in enumerate(pictures):
            by_content[picture.content].append(position)
        self.contents = list(by_content.values())
        self.content_of = {position: place for place, group in enumerate(self.contents) for position in group}
        self.small: dict[int, NDArray[np.uint8]] = {}
        self.found = Found()

    def run(self, read: Read) -> Found:
        for group in self.contents:
            if len(group) > 1:
                self._join(group, group)
        candidates = self._candidates()
        self._load(read, {content for pair in candidates for content in pair})
        for (a, b), distance in sorted(candidates.items(), key=lambda item: (item[1], item[0])):
            self._look_at(a, b, distance)
        groups = sorted(sorted(group) for group in self.components.subsets())
        clusters = [cluster for group in groups if (cluster := self._cluster(group))]
        self.found.clusters = sorted(clusters, key=lambda c: (-len(c.others), c.keeper.key))
        return self.found

    def _eligible(self, a: int, b: int) -> bool:
        x, y = self.pictures[a], self.pictures[b]
        if self.across and (bool(x.home) == bool(y.home) or x.key == y.key):
            return False
        return a != b and x.key not in self.ancestors[y.key] and y.key not in self.ancestors[x.key]

    def _join(self, left: list[int], right: list[int]) -> None:
        """Join each picture of two groups that show the same with one of the other group that it may be joined with."""
        if self.across and len({bool(self.pictures[i].home) for i in (*left, *right)}) < 2:
            return
        for ours, theirs in ((left, right), (right, left)):
            for a in ours:
                partner = next((b for b in theirs if self._eligible(a, b)), None)
                if partner is not None:
                    self.components.merge(a, partner)

    def _candidates(self) -> dict[tuple[int, int], int]:
        """Pairs of contents within the radius that may be joined, and their distance."""
        ours, theirs = self._contents_by_hash(away=False), self._contents_by_hash(away=True)
        left, right = list(ours), list(theirs) if self.across else None
        found: dict[tuple[int, int], int] = {}

        def add(first: Collection[int], second: Collection[int], distance: int) -> None:
            for a in first:
                for b in second:
                    pair = (min(a, b), max(a, b))
                    if a != b and found.get(pair, distance) >= distance and self._may_join(a, b):
                        found[pair] = distance
            if len(found) > MAX_CANDIDATES:
                raise UsageError(
                    f"radius {self.radius}: more than {MAX_CANDIDATES:,} pairs of pictures lie within it, so this hash "
                    "doesn't tell them apart. Give a smaller --radius or another --hash."
                )

        if right is None:
            for contents in ours.values():
                add(contents, contents, 0)
        for block in near_pairs(left, right, self.radius):
            for i, j, distance in zip(*(column.tolist() for column in block), strict=True):
                add(ours[left[i]], ours[left[j]] if right is None else theirs[right[j]], distance)
        return found

    def _contents_by_hash(self, *, away: bool) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for place, group in enumerate(self.contents):
            positions = [i for i in group if not self.across or bool(self.pictures[i].home) == away]
            if positions:
                for text in set(self.pictures[positions[0]].hashes):
                    found[text].append(place)
        return found

    def _may_join(self, a: int, b: int) -> bool:
        return any(self._eligible(x, y) for x in self.contents[a] for y in self.contents[b])

    def _load(self, read: Read, contents: Collection[int]) -> None:
        """Decode one picture of each content for the second look."""
        from offside_data.progress import track

        wanted = {self.contents[content][0]: content for content in contents}
        for position, data in track(read(wanted), "second look", total=len(wanted)) if wanted else ():
            try:
                self.small[wanted[position]] = small_picture(data, self.pictures[position].name)
            except PictureError as error:
                self.found.unreadable.append(str(error))

    def _look_at(self, a: int, b: int, distance: int) -> None:
        known = {self.components[i] for content in (a, b) for i in self.contents[content]}
        if len(known) == 1 or a not in self.small or b not in self.small:
            return
        self.found.candidates += 1
        second_look = self.look.compare(self.small[a], self.small[b])
        if second_look.same:
            self._join(self.contents[a], self.contents[b])
            return
        self.found.refusals += 1
        if len(self.found.refused) < SHOWN_REJECTED:
            first, second = (self.pictures[self.contents[content][0]] for content in (a, b))
            self.found.refused.append(Refused(a=first, b=second, distance=distance, second_look=second_look))

    def _cluster(self, group: list[int]) -> Cluster | None:
        keys = {self.pictures[i].key for i in group}
        own = [i for i in group if not self.ancestors[self.pictures[i].key] & keys]
        if len(own) < 2:
            return None
        keeper = choose_keeper(self.pictures[i] for i in own)
        kept = next(i for i in own if self.pictures[i] is keeper)
        others = [i for i in own if i != kept and not (self.across and self.pictures[i].home)]
        members = [self._member(kept, i) for i in sorted(others, key=lambda i: self.pictures[i].key)]
        return Cluster(keeper=keeper, others=tuple(members)) if members else None

    def _member(self, keeper: int, other: int) -> Member:
        a, b = self.content_of[keeper], self.content_of[other]
        first, second = self.pictures[keeper], self.pictures[other]
        second_look = None if a == b else self.look.compare(self.small[a], self.small[b])
        return Member(picture=second, distance=hash_distance(first, second), second_look=second_look)


def _chain(key: str, origins: dict[str, str | None]) -> set[str]:
    """The pictures that a picture is declared to be made from, directly or in steps."""
    found: set[str] = set()
    origin = origins.get(key)
    while origin is not None and origin not in found:
        found.add(origin)
        origin = origins.get(origin)
    return found
