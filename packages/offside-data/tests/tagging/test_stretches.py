from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offside_data.tagging.stretches import Stretches, Taken

STRETCH = st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1]))
CUT = st.tuples(st.integers(0, 30), st.integers(0, 9)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(STRETCH, max_size=12), CUT)
def test_law_all_stretches_are_seen(stretches: list[tuple[int, int]], other: tuple[int, int]) -> None:
    begin, stop = other
    them = Stretches(stretches)
    assert them.hold(other) == any(start <= begin and stop <= end for start, end in stretches)
    assert them.meet(other) == any(start < stop and begin < end for start, end in stretches)
    assert them.lie_in(other) == any(begin <= start and end <= stop for start, end in stretches)
    touching = [i for i, (start, end) in enumerate(stretches) if start <= stop and begin <= end]
    assert them.touching(other) == touching


@given(st.lists(STRETCH, max_size=12), STRETCH)
def test_law_what_is_taken_is_met(stretches: list[tuple[int, int]], other: tuple[int, int]) -> None:
    taken = Taken("." * 40, stretches)
    assert taken.meet(other) == Stretches(stretches).meet(other)
