from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from offside_data.dedup import find
from offside_data.dedup.clusters import HashedPicture
from offside_data.dedup.find import Found, Told, find_duplicates
from offside_data.dedup.second_look import SecondLookResult
from offside_data.dedup.spots import Spot
from offside_data.errors import UsageError
from offside_data.images.hashing import hash_image


def picture(key: str, data: bytes, **changes: Any) -> HashedPicture:
    hashes = hash_image(data)
    fields: dict[str, Any] = {
        "key": key,
        "content": hashes.pixels_sha256,
        "hashes": (hashes.phash,),
        "width": hashes.width,
        "height": hashes.height,
    }
    return HashedPicture(**{**fields, **changes})


@pytest.fixture
def search() -> Callable[..., Found]:
    """Look through `{name: bytes}`; fields of a picture can be changed by name."""

    def run(
        ours: dict[str, bytes],
        theirs: dict[str, bytes] | None = None,
        radius: int = 8,
        told: Told | None = None,
        **changes: dict[str, Any],
    ) -> Found:
        own = [picture(key, data, **changes.get(key, {})) for key, data in ours.items()]
        others = [picture(key, data, home="other@1.0.0") for key, data in (theirs or {}).items()]
        data = [*ours.values(), *(theirs or {}).values()]

        def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
            yield from ((i, data[i]) for i in positions)

        return find_duplicates(own, read, radius=radius, against=None if theirs is None else others, told=told)

    return run


def keys(found: Found) -> list[tuple[str, ...]]:
    return sorted(tuple(p.key for p in cluster.pictures) for cluster in found.clusters)


def test_equal_pixels_and_near_copies(search: Any, make_scene: Any, encoded: Any, copies: Any) -> None:
    pictures = {f"original-{seed}": encoded(make_scene(seed)) for seed in range(6)}
    pictures |= {f"{kind}-{seed}": copy(make_scene(seed)) for seed, (kind, copy) in enumerate(copies.items())}
    found = search(pictures)
    # The halved copy has fewer pixels; of the others, the lowest key is kept.
    assert keys(found) == [
        ("brighter-3", "original-3"),
        ("exact-0", "original-0"),
        ("jpeg-1", "original-1"),
        ("original-2", "half-2"),
    ]
    (exact,) = [c for c in found.clusters if c.keeper.key == "exact-0"]
    assert exact.others[0].second_look is None
    assert found.refusals == 0


def test_the_order_of_pictures_does_not_matter(search: Any, make_scene: Any, encoded: Any, copies: Any) -> None:
    pictures = {f"original-{seed}": encoded(make_scene(seed)) for seed in range(4)}
    pictures |= {f"{kind}-1": copy(make_scene(1)) for kind, copy in copies.items()}
    turned = dict(reversed(pictures.items()))
    assert keys(search(pictures)) == keys(search(turned))


def test_a_copy_is_no_duplicate_of_what_it_was_made_from(
    search: Any, make_scene: Any, encoded: Any, copies: Any
) -> None:
    pictures = {"a": encoded(make_scene(1)), "b": copies["jpeg"](make_scene(1)), "c": copies["exact"](make_scene(1))}
    assert keys(search(pictures, b={"origin": "a"}, c={"origin": "b"})) == []
    # The chain b -> a is declared, so c is a copy of a duplicate, not a duplicate of the copy.
    assert keys(search(pictures, b={"origin": "a"})) == [("a", "c")]


def test_near_hashes_are_not_enough(search: Any, make_scene: Any, encoded: Any) -> None:
    pictures = {"a": encoded(make_scene(1)), "b": encoded(make_scene(2))}
    found = search(pictures, b={"hashes": (hash_image(pictures["a"]).phash,)})
    assert keys(found) == []
    assert (found.candidates, found.refusals) == (1, 1)
    assert (found.refused[0].a.key, found.refused[0].b.key, found.refused[0].distance) == ("a", "b", 0)


def test_against_others_only(search: Any, make_scene: Any, encoded: Any, copies: Any) -> None:
    ours = {"a": encoded(make_scene(1)), "b": copies["jpeg"](make_scene(1)), "c": copies["exact"](make_scene(2))}
    theirs = {"x": encoded(make_scene(2)), "y": encoded(make_scene(3)), "z": copies["half"](make_scene(3))}
    found = search(ours, theirs)
    assert keys(found) == [("x", "c")]
    assert found.clusters[0].keeper.name == "x in other@1.0.0"
    assert keys(search(ours, {})) == []
    assert keys(search(ours, {"a": ours["a"]})) == [("a", "b")]  # The same id is the same picture in another version.


def test_a_chain_is_one_cluster_but_says_who_is_unlike_the_keeper(
    search: Any, make_scene: Any, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {name: encoded(make_scene(seed)) for seed, name in enumerate("abc")}
    same = [(name, "b") for name in "ac"]
    phash = {"hashes": ("0" * 16,)}

    def compare(look: Any, first: Any, second: Any, whole: Any = None) -> find.SecondLookResult:
        names = [name for one in (first, second) for name in "abc" if (one.small == seen[name].small).all()]
        return find.SecondLookResult(same=tuple(names) in same or tuple(names[::-1]) in same, bits=0, correlation=1.0)

    seen = {name: find.see(data, name) for name, data in pictures.items()}
    monkeypatch.setattr(find.SecondLook, "compare_wholes", compare)
    monkeypatch.setattr(find.SecondLook, "look_closer", compare)
    (cluster,) = search(pictures, a=phash, b=phash, c=phash).clusters
    assert cluster.keeper.key == "a"
    assert {m.picture.key: m.like_keeper for m in cluster.others} == {"b": True, "c": False}


def test_parts_of_a_picture_are_enough_to_look(search: Any, make_scene: Any, encoded: Any) -> None:
    pictures = {"a": encoded(make_scene(1)), "b": encoded(make_scene(1).crop((4, 4, 118, 118)))}
    part = "a5" * 8
    parts: dict[str, Any] = {"a": {"hashes": ("f" * 16, part)}, "b": {"hashes": (part, "0" * 16)}}
    assert keys(search(pictures, radius=0, **parts)) == [("a", "b")]


def test_a_damaged_picture_is_named_and_the_rest_goes_on(search: Any, make_scene: Any, encoded: Any) -> None:
    pictures: dict[str, bytes] = {"a": encoded(make_scene(1)), "b": encoded(make_scene(1), "JPEG"), "c": b""}
    hashes = {"hashes": (hash_image(pictures["a"]).phash,)}
    own = [picture("a", pictures["a"]), picture("b", pictures["b"]), dataclasses.replace(picture("a", pictures["a"]))]
    own[2] = dataclasses.replace(own[2], key="c", content="c", **hashes)

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        yield from ((i, list(pictures.values())[i]) for i in positions)

    found = find_duplicates(own, read, radius=8)
    assert keys(found) == [("a", "b")]
    assert [problem.partition(":")[0] for problem in found.unreadable] == ["c"]


def test_too_wide_a_radius_is_refused(search: Any, make_scene: Any, encoded: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(find, "MAX_CANDIDATES", 3)
    with pytest.raises(UsageError, match="more than 3 pairs of pictures lie within it"):
        search({str(seed): encoded(make_scene(seed)) for seed in range(4)}, radius=64)


def test_many_flat_pictures_are_told_apart(search: Any, encoded: Any) -> None:
    shades: Sequence[int] = range(0, 250, 10)
    found = search({str(shade): encoded(Image.new("RGB", (20, 20), (shade,) * 3)) for shade in shades})
    assert keys(found) == []


def test_only_pictures_with_a_near_neighbour_are_read(make_scene: Any, encoded: Any, copies: Any) -> None:
    data = [encoded(make_scene(seed)) for seed in range(5)] + [copies["half"](make_scene(3))]
    own = [picture(str(i), one) for i, one in enumerate(data)]
    asked: list[int] = []

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        asked.extend(positions)
        yield from ((i, data[i]) for i in positions)

    find_duplicates(own, read, radius=8)
    assert sorted(asked) == [3, 5]


@pytest.fixture
def posts(encoded: Any) -> Callable[..., bytes]:
    """A screenshot of a post: the same template with whatever it says."""

    def draw(*lines: str, kind: str = "PNG", **options: Any) -> bytes:
        picture = Image.new("RGB", (400, 240), "white")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, 400, 30), fill=(30, 120, 220))
        for number, line in enumerate(("Ada Vest", *lines, "Posted by transfer news")):
            pen.text((16, 44 + 30 * number), line, font=ImageFont.load_default(16), fill="black")
        data: bytes = encoded(picture, kind, **options)
        return data

    return draw


def test_look_alikes_are_no_cluster(search: Any, posts: Any) -> None:
    pictures = {"35": posts("Fee: 35 million"), "53": posts("Fee: 53 million"), "denial": posts("Fee: not 35 million")}
    pictures["35 again"] = posts("Fee: 35 million", kind="JPEG", quality=40)
    found = search(pictures)
    assert keys(found) == [("35", "35 again")]
    assert {frozenset((pair.a.key, pair.b.key)) for pair in found.look_alikes} >= {frozenset(("53", "35"))}
    assert all(pair.second_look.spots for pair in found.look_alikes)
    assert found.refusals == 0


def test_a_copy_is_found_among_many_look_alikes(search: Any, posts: Any) -> None:
    pictures = {f"{number:02}": posts(f"Fee: {number} million") for number in range(31, 45)}
    pictures["copy"] = posts("Fee: 38 million", kind="JPEG", quality=60)
    found = search(pictures)
    assert keys(found) == [("38", "copy")]
    assert {pair.a.key for pair in found.look_alikes} | {pair.b.key for pair in found.look_alikes} >= {"31", "44"}


def test_what_a_person_told_apart_is_never_joined(search: Any, make_scene: Any, encoded: Any, copies: Any) -> None:
    pictures = {"a": encoded(make_scene(1)), "b": copies["exact"](make_scene(1)), "c": copies["jpeg"](make_scene(1))}
    assert keys(search(pictures)) == [("a", "b", "c")]
    found = search(pictures, told=Told(apart=[frozenset("ab")]))
    assert keys(found) in ([("a", "c")], [("b", "c")])
    assert keys(search(pictures, told=Told(apart=[frozenset("ab"), frozenset("ac"), frozenset("bc")]))) == []


def test_a_person_chooses_the_keeper(search: Any, make_scene: Any, encoded: Any, copies: Any) -> None:
    pictures = {"a": encoded(make_scene(1)), "b": copies["half"](make_scene(1))}
    assert keys(search(pictures, told=Told(keep="b"))) == [("b", "a")]


@pytest.mark.parametrize(("claims", "same"), [({"b": "1"}, True), ({"b": "2"}, False), ({}, True)])
def test_records_decide_where_pixels_do_not(
    search: Any, make_scene: Any, encoded: Any, copies: Any, monkeypatch: Any, claims: dict[str, str], same: bool
) -> None:
    unsure = SecondLookResult(same=True, bits=0, correlation=1.0, difference=10.0, spots=(Spot(0.1, 0.1, 0.2, 0.2),))
    monkeypatch.setattr(find.SecondLook, "look_closer", lambda *given: unsure)
    stated = {key: {"fee": frozenset([value])} for key, value in {"a": "1", **claims}.items()}
    pictures = {"a": encoded(make_scene(1)), "b": copies["jpeg"](make_scene(1))}
    found = search(pictures, told=Told(claims=lambda asked: stated))
    assert (keys(found) == [("a", "b")]) is same
    assert len(found.look_alikes) == (not same)


class Oracle:
    """A second look that was told which pictures show the same."""

    def __init__(self, same: set[frozenset[int]]) -> None:
        self.same = same

    def compare_closely(self, first: int, second: int, whole: Any = None) -> SecondLookResult:
        return SecondLookResult(same=frozenset((first, second)) in self.same, bits=0, correlation=1.0)

    compare_wholes = look_closer = compare_closely


@given(st.integers(2, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14), st.randoms())
def test_clusters_are_the_connected_components(number: int, pairs: list[tuple[int, int]], source: Any) -> None:
    same = [(a, b) for a, b in pairs if a != b and max(a, b) < number]
    components = [{position} for position in range(number)]
    for a, b in same:
        joined = set().union(*(c for c in components if c & {a, b}))
        components = [c for c in components if not c & joined] + [joined]
    pictures = [
        HashedPicture(key=f"{i:02}", content=str(i), hashes=(f"{source.randrange(256):02x}",), width=9, height=9)
        for i in range(number)
    ]
    look: Any = Oracle({frozenset(pair) for pair in same})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "see", lambda data, name: int(data))
        found = find_duplicates(pictures, lambda wanted: ((i, b"%d" % i) for i in wanted), radius=8, look=look)
    assert keys(found) == sorted(tuple(f"{i:02}" for i in sorted(c)) for c in components if len(c) > 1)
