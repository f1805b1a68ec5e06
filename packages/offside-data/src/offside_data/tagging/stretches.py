"""Many stretches of a text at once: which of them hold, meet or touch another, without a look at each of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate

from offside_data.tagging.digits import Stretch

NEAR = 100
"""How many characters before a place are searched for words that lead to it.

A search of all that stands before each of many places would take a time that grows with the square of the text."""


def near(end: int, most: int = NEAR) -> int:
    """Where a search for what stands before a place begins; its pattern sees what stands before that, too."""
    return max(0, end - most)


class Stretches:
    """Stretches in any order, of which some may overlap.

    Args:
        stretches: They; `touching` speaks of them by their places in this order.
    """

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self._sorted = sorted((start, end, place) for place, (start, end) in enumerate(stretches))
        self._starts = [start for start, _, _ in self._sorted]
        self._reach = list(accumulate((end for _, end, _ in self._sorted), max))

    def hold(self, stretch: Stretch) -> bool:
        """Whether a stretch lies in one of them."""
        before = bisect_right(self._starts, stretch[0])
        return before > 0 and self._reach[before - 1] >= stretch[1]

    def meet(self, stretch: Stretch) -> bool:
        """Whether a stretch overlaps one of them."""
        before = bisect_left(self._starts, stretch[1])
        return before > 0 and self._reach[before - 1] > stretch[0]

    def lie_in(self, stretch: Stretch) -> bool:
        """Whether one of them lies in a stretch."""
        after = bisect_left(self._starts, stretch[0])
        return after < len(self._nearest) and self._nearest[after] <= stretch[1]

    def touching(self, stretch: Stretch) -> list[int]:
        """Which of them overlap a stretch or stand right beside it."""
        begin, stop = stretch
        place = bisect_right(self._starts, stop)
        found = []
        while place and self._reach[place - 1] >= begin:
            place -= 1
            if self._sorted[place][1] >= begin:
                found.append(self._sorted[place][2])
        return sorted(found)

    @cached_property
    def _nearest(self) -> list[int]:
        """The nearest end of each of them and those that start later."""
        return list(accumulate((end for _, end, _ in reversed(self._sorted)), min))[::-1]


class Taken:
    """Which characters of a text are part of something that was found already.

    Args:
        text: The text.
        stretches: What was found.
    """

    def __init__(self, text: str, stretches: Iterable[Stretch] = ()) -> None:
        self._marks = bytearray(len(text))
        for stretch in stretches:
            self.take(stretch)

    def take(self, stretch: Stretch) -> None:
        """Mark a stretch."""
        start, end = stretch
        self._marks[start:end] = b"\1" * (end - start)

    def meet(self, stretch: Stretch) -> bool:
        """Whether a stretch overlaps what is marked."""
        return self._marks.find(1, *stretch) >= 0
