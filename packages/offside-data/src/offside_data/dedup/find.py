"""Find pictures that show the same: equal pixels, or near hashes and a second look."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from offside_data.dedup.blocks import blocks_of
from offside_data.dedup.clusters import Cluster, HashedPicture, LookedAt, Member, choose_keeper, hash_distance
from offside_data.dedup.near import near_pairs
from offside_data.dedup.second_look import SecondLook, SecondLookResult, Seen, see
from offside_data.errors import PictureError, UsageError

Read = Callable[[Collection[int]], Iterator[tuple[int, bytes]]]
"""Gives the encoded bytes of the pictures at the positions asked for, in any order."""
Claims = Mapping[str, frozenset[str]]
"""What records say about a picture: values by attribute."""
ReadClaims = Callable[[Collection[str]], Mapping[str, Claims]]
"""Gives the claims of the pictures with these keys."""

MAX_CANDIDATES = 2_000_000
"""Pairs within the radius that are looked at; more say that the radius doesn't tell these pictures apart."""
SHOWN_REJECTED = 50
"""How many of the pairs that the second look refused are kept, nearest first."""
_ALL_PAIRS = 20
"""Up to so many pictures of a cluster are all compared with each other; of more, only as many as it takes."""

_ENOUGH = 4
"""Look-alikes of a picture after which only the likeliest copies are looked at: a template may have thousands."""

Pair = tuple[int, int]


@dataclass(kw_only=True)
class Found:
    """What was found.

    Args:
        clusters: Pictures that show the same, larger clusters first.
        candidates: How many pairs had near hashes and were looked at.
        refused: The nearest of those that the second look refused.
        refusals: How many it refused.
        look_alikes: Of each picture the nearest one in each split that is the same but for some place.
        unreadable: Pictures that couldn't be decoded for the second look, and why.
    """

    clusters: list[Cluster] = field(default_factory=list)
    candidates: int = 0
    refused: list[LookedAt] = field(default_factory=list)
    refusals: int = 0
    look_alikes: list[LookedAt] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What people and records say about pictures.

    Args:
        apart: Pairs of keys that a person declared to be no duplicates.
        keep: Key of the picture that is to be kept of its cluster.
        claims: What records say; without it, they decide nothing.
    """

    apart: Collection[frozenset[str]] = ()
    keep: str | None = None
    claims: ReadClaims | None = None


def find_duplicates(
    pictures: Sequence[HashedPicture],
    read: Read,
    *,
    radius: int,
    against: Sequence[HashedPicture] | None = None,
    look: SecondLook | None = None,
    told: Told | None = None,
) -> Found:
    """Find pictures that show the same.

    A picture is never compared with the one that it is declared to be made from, directly or in steps.

    Args:
        pictures: The pictures to look through.
        read: Gives encoded bytes by position in `[*pictures, *against]`. Only pictures with a near neighbour are asked
            for; some hundred of them are held at a time.
        radius: Bits in which the hashes of two pictures may differ for a second look at them.
        against: Pictures of another dataset: then pictures are only compared with these, and one of these is kept.
        look: Limits of the second look.
        told: What people and records say.

    Raises:
        UsageError: If hashes don't fit together, or too many pairs lie within the radius.
    """
    everything = [*pictures, *(against or ())]
    search = _Search(everything, across=against is not None, look=look or SecondLook(), told=told or Told())
    return search.run(read, radius)


class _Search:
    def __init__(self, pictures: list[HashedPicture], *, across: bool, look: SecondLook, told: Told) -> None:
        self.pictures, self.across, self.look, self.told = pictures, across, look, told
        from scipy.cluster.hierarchy import DisjointSet

        self.components = DisjointSet(range(len(pictures)))
        origins = {picture.key: picture.origin for picture in pictures}
        self.ancestors = {key: _chain(key, origins) for key in origins}
        self.apart = _apart(pictures, told.apart)
        by_content: dict[str, list[int]] = defaultdict(list)
        for position, picture in enumerate(pictures):
            by_content[picture.content].append(position)
        self.contents = list(by_content.values())
        self.content_of = {position: place for place, group in enumerate(self.contents) for position in group}
        self.looks: dict[Pair, SecondLookResult] = {}
        self.unsure: dict[Pair, tuple[int, SecondLookResult]] = {}
        self.look_alikes: dict[tuple[int, tuple[str, ...]], tuple[int, Pair, SecondLookResult]] = {}
        self.unreadable: dict[int, str] = {}
        self.found = Found()

    def run(self, read: Read, radius: int) -> Found:
        for group in self.contents:
            if len(group) > 1:
                self._join(group, group)
        candidates = self._candidates(radius)
        by_distance = sorted(candidates, key=lambda pair: (candidates[pair], pair))
        for block, seen in self._blocks(read, by_distance):
            self._look_at(block, seen, candidates)
        self._let_records_decide()
        groups = sorted(sorted(group) for group in self.components.subsets())
        kept = [(group, keeper) for group in groups if (keeper := self._keeper(group)) is not None]
        self._complete(read, kept)
        clusters = [cluster for group, keeper in kept if (cluster := self._cluster(group, keeper))]
        self.found.clusters = sorted(clusters, key=lambda c: (-len(c.others), c.keeper.key))
        self.found.look_alikes = list(self._nearest_look_alikes())
        self.found.refused.sort(key=lambda pair: pair.distance)
        self.found.unreadable = list(self.unreadable.values())
        return self.found

    def _eligible(self, a: int, b: int) -> bool:
        x, y = self.pictures[a], self.pictures[b]
        if self.across and (bool(x.home) == bool(y.home) or x.key == y.key):
            return False
        if b in self.apart.get(a, ()):
            return False
        return a != b and x.key not in self.ancestors[y.key] and y.key not in self.ancestors[x.key]

    def _join(self, left: list[int], right: list[int]) -> None:
        """Join each picture of two groups that show the same with one of the other group that it may be joined with."""
        if self.across and len({bool(self.pictures[i].home) for i in (*left, *right)}) < 2:
            return
        for ours, theirs in ((left, right), (right, left)):
            for a in ours:
                partner = next((b for b in theirs if self._eligible(a, b)), None)
                if partner is not None and not self._kept_apart(a, partner):
                    self.components.merge(a, partner)

    def _kept_apart(self, a: int, b: int) -> bool:
        """Whether a person said that something that shows the same as one isn't what shows the same as the other."""
        if not self.apart:
            return False
        other = self.components.subset(b)
        return any(not other.isdisjoint(self.apart.get(i, ())) for i in self.components.subset(a))

    def _candidates(self, radius: int) -> dict[tuple[int, int], int]:
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
                    f"radius {radius}: more than {MAX_CANDIDATES:,} pairs of pictures lie within it, so this hash "
                    "doesn't tell them apart. Give a smaller --radius or another --hash."
                )

        if right is None:
            for contents in ours.values():
                add(contents, contents, 0)
        for block in near_pairs(left, right, radius):
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

    # -----------------------------------------------------------------------------------------
    # Looking

    def _blocks(self, read: Read, pairs: Sequence[Pair]) -> Iterator[tuple[list[Pair], dict[int, Seen]]]:
        """Pairs of contents with their pictures, as far as these can be decoded; few are held at a time."""
        from offside_data.progress import track

        blocks = list(blocks_of(pairs))
        for block in track(blocks, "second look", total=len(blocks)) if blocks else ():
            wanted = {self.contents[content][0]: content for pair in block for content in pair}
            seen: dict[int, Seen] = {}
            for position, data in read(wanted):
                try:
                    seen[wanted[position]] = see(data, self.pictures[position].name)
                except PictureError as error:
                    self.unreadable[position] = str(error)
            yield [(a, b) for a, b in block if a in seen and b in seen], seen

    def _look_at(self, block: list[Pair], seen: Mapping[int, Seen], distances: Mapping[Pair, int]) -> None:
        """Compare pictures as a whole and closely; of many look-alikes closely only the likeliest copies."""
        later: dict[Pair, SecondLookResult] = {}
        looked: dict[int, int] = defaultdict(int)
        for a, b in block:
            if self._joined((a, b)):
                continue
            whole = self.look.compare_wholes(seen[a], seen[b])
            if not whole.same:
                self._refuse((a, b), distances[a, b], whole)
            elif min(looked[a], looked[b]) < _ENOUGH:
                self._look_closer((a, b), seen, whole, distances[a, b], looked)
            else:
                later[a, b] = whole
        looked.clear()
        for a, b in sorted(later, key=lambda pair: (-later[pair].correlation, distances[pair], pair)):
            if min(looked[a], looked[b]) < _ENOUGH and not self._joined((a, b)):
                self._look_closer((a, b), seen, later[a, b], distances[a, b], looked)

    def _look_closer(
        self, pair: Pair, seen: Mapping[int, Seen], whole: SecondLookResult, distance: int, looked: dict[int, int]
    ) -> None:
        self.found.candidates += 1
        second_look = self.look.look_closer(seen[pair[0]], seen[pair[1]], whole)
        if second_look.unsure and self.told.claims is not None:
            self.unsure[pair] = distance, second_look
        elif second_look.same:
            self._join_contents(pair, second_look)
        else:
            for content in pair:
                looked[content] += 1
            self._note_look_alike(pair, distance, second_look)

    def _joined(self, pair: Pair) -> bool:
        return len({self.components[i] for content in pair for i in self.contents[content]}) == 1

    def _refuse(self, pair: Pair, distance: int, second_look: SecondLookResult) -> None:
        self.found.candidates += 1
        self.found.refusals += 1
        if len(self.found.refused) < SHOWN_REJECTED:
            a, b = (self.pictures[self.contents[content][0]] for content in pair)
            self.found.refused.append(LookedAt(a=a, b=b, distance=distance, second_look=second_look))

    def _join_contents(self, pair: Pair, second_look: SecondLookResult) -> None:
        self.looks[pair] = second_look
        self._join(*(self.contents[content] for content in pair))

    def _note_look_alike(self, pair: Pair, distance: int, second_look: SecondLookResult) -> None:
        """Remember the nearest look-alike of each of both pictures in the other one's splits."""
        for one, other in (pair, pair[::-1]):
            key = one, self.pictures[self.contents[other][0]].splits
            if key not in self.look_alikes or distance < self.look_alikes[key][0]:
                self.look_alikes[key] = distance, pair, second_look

    def _let_records_decide(self) -> None:
        """Of pictures with differences that copying may have left: those differ of which other things are said."""
        if not self.unsure or self.told.claims is None:
            return
        contents = {content for pair in self.unsure for content in pair}
        claims = self.told.claims({self.pictures[i].key for content in contents for i in self.contents[content]})
        for pair, (distance, second_look) in self.unsure.items():
            first, second = ([claims.get(self.pictures[i].key, {}) for i in self.contents[c]] for c in pair)
            if any(_differ(x, y) for x in first for y in second):
                self._note_look_alike(pair, distance, dataclasses.replace(second_look, same=False))
            else:
                self._join_contents(pair, second_look)

    # -----------------------------------------------------------------------------------------
    # What was found

    def _keeper(self, group: list[int]) -> int | None:
        """Which picture of a group is kept; null if no two of them may be one."""
        own = self._own(group)
        if len(own) < 2:
            return None
        keeper = choose_keeper((self.pictures[i] for i in own), self.told.keep)
        return next(i for i in own if self.pictures[i] is keeper)

    def _own(self, group: list[int]) -> list[int]:
        """The pictures of a group that aren't made from others of it."""
        keys = {self.pictures[i].key for i in group}
        return [i for i in group if not self.ancestors[self.pictures[i].key] & keys]

    def _complete(self, read: Read, kept: Sequence[tuple[list[int], int]]) -> None:
        """Compare pictures of one cluster that were only like a third one: small clusters all, others the keeper's."""
        wanted: dict[Pair, None] = {}
        for group, keeper in kept:
            contents = sorted({self.content_of[i] for i in self._own(group)})
            first = contents if len(contents) <= _ALL_PAIRS else [self.content_of[keeper]]
            wanted.update({(min(a, b), max(a, b)): None for a in first for b in contents if a != b})
        for block, seen in self._blocks(read, [pair for pair in wanted if pair not in self.looks]):
            self.looks.update({(a, b): self.look.compare_closely(seen[a], seen[b]) for a, b in block})

    def _cluster(self, group: list[int], kept: int) -> Cluster | None:
        others = [i for i in self._own(group) if i != kept and not (self.across and self.pictures[i].home)]
        others.sort(key=lambda i: self.pictures[i].key)
        members = tuple(self._member(kept, i) for i in others)
        pairs = itertools.combinations(others, 2) if len(others) < _ALL_PAIRS else ()
        look_alikes = [found for a, b in pairs if (found := self._compared(a, b)) and found.second_look.look_alike]
        return Cluster(keeper=self.pictures[kept], others=members, look_alikes=tuple(look_alikes)) if members else None

    def _member(self, keeper: int, other: int) -> Member:
        distance = hash_distance(self.pictures[keeper], self.pictures[other])
        found = self._compared(keeper, other)
        return Member(picture=self.pictures[other], distance=distance, second_look=found.second_look if found else None)

    def _compared(self, a: int, b: int) -> LookedAt | None:
        """Two pictures of a cluster; null if their pixels are equal."""
        first, second = sorted((self.content_of[a], self.content_of[b]))
        if first == second:
            return None
        x, y = self.pictures[a], self.pictures[b]
        return LookedAt(a=x, b=y, distance=hash_distance(x, y), second_look=self.looks[first, second])

    def _nearest_look_alikes(self) -> Iterator[LookedAt]:
        """Look-alikes that no person told apart and that aren't linked by a picture that is the same as both."""
        pairs = {pair: (distance, second_look) for distance, pair, second_look in self.look_alikes.values()}
        for (a, b), (distance, second_look) in sorted(pairs.items(), key=lambda item: (item[1][0], item[0])):
            choices = ((x, y) for x in self.contents[a] for y in self.contents[b] if self._eligible(x, y))
            first, second = next(choices)
            if not self.components.connected(first, second) and not self._kept_apart(first, second):
                x, y = self.pictures[first], self.pictures[second]
                yield LookedAt(a=x, b=y, distance=distance, second_look=second_look)


def _differ(a: Claims, b: Claims) -> bool:
    """Whether other values of one attribute are stated of two pictures."""
    return any(values.isdisjoint(b[attribute]) for attribute, values in a.items() if attribute in b)


def _apart(pictures: Sequence[HashedPicture], pairs: Collection[frozenset[str]]) -> dict[int, set[int]]:
    """Positions of the pictures that each picture was told apart from."""
    places: dict[str, list[int]] = defaultdict(list)
    for position, picture in enumerate(pictures if pairs else ()):
        places[picture.key].append(position)
    found: dict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        for one, other in itertools.permutations(pair, 2):
            for position in places.get(one, ()):
                found[position].update(places.get(other, ()))
    return dict(found)


def _chain(key: str, origins: dict[str, str | None]) -> set[str]:
    """The pictures that a picture is declared to be made from, directly or in steps."""
    found: set[str] = set()
    origin = origins.get(key)
    while origin is not None and origin not in found:
        found.add(origin)
        origin = origins.get(origin)
    return found
