from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.dedup import near
from offside_data.dedup.near import pairs_within
from offside_data.errors import UsageError


def by_hand(left: list[str], right: list[str] | None, radius: int) -> list[tuple[int, int, int]]:
    others = left if right is None else right
    found = []
    for i, a in enumerate(left):
        for j, b in enumerate(others):
            distance = (int(a, 16) ^ int(b, 16)).bit_count()
            if distance <= radius and (right is not None or i < j):
                found.append((i, j, distance))
    return found


def hashes(number: int, seed: int, digits: int) -> list[str]:
    """Hashes of which many lie near each other."""
    source = random.Random(seed)
    found = [source.getrandbits(digits * 4) for _ in range(number // 2 + 1)]
    while len(found) < number:
        value = source.choice(found)
        for _ in range(source.randrange(12)):
            value ^= 1 << source.randrange(digits * 4)
        found.append(value)
    return [f"{value:0{digits}x}" for value in found[:number]]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 40),
    st.none() | st.integers(0, 40),
    st.integers(0, 1_000),
    st.sampled_from([2, 16, 64]),
    st.integers(0, 70),
)
def test_all_pairs_and_no_others(left: int, right: int | None, seed: int, digits: int, radius: int) -> None:
    a = hashes(left, seed, digits)
    b = None if right is None else hashes(right, seed + 1, digits) + a[:5]
    assert pairs_within(a, b, radius) == by_hand(a, b, radius)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 15), st.integers(0, 14), st.booleans(), st.integers(0, 1_000))
def test_any_number_of_bands_gives_the_same(number: int, radius: int, within: bool, seed: int) -> None:
    left = hashes(40, seed, 16)
    a = near._bytes_of(left)
    b = a if within else near._bytes_of(right := hashes(30, seed, 16))
    bands = near._cut(a, b, number, min(64 // number, 16), min(radius // number, 2))
    if radius // number > 2:  # Too many masks for a test; those left still find nothing false.
        return
    found = [row for block in near._by_bands(a, b, radius, bands, within=within) for row in zip(*block, strict=True)]
    assert sorted(tuple(map(int, row)) for row in found) == by_hand(left, None if within else right, radius)


def test_many_hashes_go_by_bands_and_give_the_same() -> None:
    left = hashes(6_000, 1, 16)
    a = near._bytes_of(left)
    assert near._best_bands(a, a, 8) is not None
    blocks = [row for block in near._by_blocks(a, a, 8, within=True) for row in zip(*block, strict=True)]
    assert pairs_within(left, None, 8) == sorted(tuple(map(int, row)) for row in blocks)


def test_equal_hashes_are_pairs() -> None:
    assert pairs_within(["ff"] * 3, None, 0) == [(0, 1, 0), (0, 2, 0), (1, 2, 0)]


@pytest.mark.parametrize(
    ("left", "radius", "message"),
    [
        (["ff", "ffff"], 1, "hashes of 2, 4 hex digits can't be compared"),
        (["zz"], 1, "not all hashes are hex digits"),
        (["ff"], -1, "give the number of bits"),
    ],
)
def test_what_cannot_be_compared(left: list[str], radius: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pairs_within(left, None, radius)
