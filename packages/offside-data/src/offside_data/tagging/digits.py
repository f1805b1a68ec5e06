"""Texts without their digits: a million answers differ in little else, so what digits can't change is found once.

Where words, signs and numbers stand doesn't depend on which digits a number has, as long as no pattern names one. What
reads a text in two steps, first where things stand and then what they are, takes the first step on its `masked` form
and remembers it. Years and days aren't read so: `2021` is a year and `3021` none.
"""

from __future__ import annotations

Stretch = tuple[int, int]
"""Where something starts and ends in a text."""

KNOWN = 2**13
"""How many masked texts are remembered of each kind."""
_MASK = str.maketrans("123456789", "000000000")


def masked(text: str) -> str:
    """A text with each of its digits 0 to 9 as a zero; all else stands where it stood."""
    return text.translate(_MASK)
