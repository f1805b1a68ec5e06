"""The longest name wins: `Velmora Rovers` and `New Velmora` aren't `Velmora`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from offside_data.tagging.comparing import AFFIXES
from offside_data.tagging.digits import Stretch
from offside_data.tagging.finding import FoundValue
from offside_data.tagging.pattern import Pattern
from offside_data.tagging.stretches import Stretches, near
from offside_data.tagging.wording import plain, words_of
from offside_data.tagging.words import word_list

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LAST = re.compile(rf"({_WORD.pattern})[ \u00a0-]$")
_FIRST = re.compile(rf"[ \u00a0-]({_WORD.pattern})")
_CLUB = AFFIXES | word_list("football club team side squad")
"""Words with which a name is still the same one: `Velmora Football Club`, `Team Velmora`."""


def parts_of_others(
    text: str, stretches: Sequence[Stretch], names: Sequence[FoundValue], pattern: Pattern
) -> set[Stretch]:
    """Where the words of a name stand inside a longer one, so that something else is named.

    Args:
        text: A clause.
        stretches: Where the words stand.
        names: The names in the clause.
        pattern: How answers of the attribute are worded: `Joins Velmora` is worded with a verb and no longer name.
    """
    if not stretches or not any(character.islower() for character in text):  # capitals tell nothing
        return set()
    places = Stretches((name.start, name.end) for name in names)
    around = {stretch: (names[place] for place in places.touching(stretch)) for stretch in stretches}
    return {s for s in stretches if any(_is_longer(text, s, (f.start, f.end), pattern) for f in around[s])}


def _is_longer(text: str, stretch: Stretch, name: Stretch, pattern: Pattern) -> bool:
    """Whether a name that words stand in is longer than they are."""
    start, end = stretch
    if name == stretch or not (name[0] <= start and end <= name[1]):
        return False
    last = _LAST.search(text, max(name[0], near(start)), start)
    if last and not _is_worded(last[1], pattern):
        return True
    first = _FIRST.match(text, end, name[1])
    return first is not None and first[1][0].isupper() and plain(first[1]) not in _CLUB


def _is_worded(word: str, pattern: Pattern) -> bool:
    """Whether a word before a name leads to it."""
    known = _CLUB | words_of("harmless", "grammar") | words_of("harmless", "said") | words_of("harmless", "verbs")
    return plain(word) in known | pattern.words | pattern.role_words | pattern.other_role_words
