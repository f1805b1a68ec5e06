from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offside_data.dedup.blocks import blocks_of

Pairs = list[tuple[int, int]]


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(26, 50)), unique=True), st.integers(2, 12))
def test_every_pair_is_in_one_block_of_few_pictures(pairs: Pairs, at_once: int) -> None:
    blocks = list(blocks_of(pairs, at_once))
    assert sorted(pair for block in blocks for pair in block) == sorted(pairs)
    assert all(len({picture for pair in block for picture in pair}) <= at_once for block in blocks)


def test_what_hangs_together_stands_together_in_its_order() -> None:
    assert list(blocks_of([(7, 8), (1, 2), (2, 3), (1, 3)], 3)) == [[(1, 2), (2, 3), (1, 3)], [(7, 8)]]
