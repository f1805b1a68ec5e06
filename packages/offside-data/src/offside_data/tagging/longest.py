"""The longest name wins: `Velmora Rovers` and `New Velmora` aren't `Velmora`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from offside_data.tagging.comparing import AFFIXES
from offside_data.tagging.finding import FoundValue
from offside_data.tagging.pattern import Pattern
from offside_data.tagging.wording import plain, words_of
from offside_data.tagging.words import word_list

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CLUB = AFFIXES | word_list("football club team side squad")
"""Words with which a name is still the same one: `Velmora Football Club`, `Team Velmora`."""


def is_part_of_another(text: str, stretch: tuple[int, int], names: Sequence[FoundValue], pattern: Pattern) -> bool:
    """Whether the words of a name stand inside a longer one, so that something else is named.

    Args:
        text: A clause.
        stretch: Where the words stand.
        names: The names in the clause.
        pattern: How answers of the attribute are worded: `Joins Velmora` is worded with a verb and no longer name.
    """
    start, end = stretch
    if not any(character.islower() for character in text):  # capitals tell nothing
        return False
    for name in names:
        if name.start <= start and end <= name.end and (name.start, name.end) != stretch:
            before, after = text[name.start : start], text[end : name.end]
            last = re.search(rf"({_WORD.pattern})[ \u00a0-]$", before)
            if last and not _is_worded(last[1], pattern):
                return True
            first = re.match(rf"[ \u00a0-]({_WORD.pattern})", after)
            if first and first[1][0].isupper() and plain(first[1]) not in _CLUB:
                return True
    return False


def _is_worded(word: str, pattern: Pattern) -> bool:
    """Whether a word before a name leads to it."""
    known = _CLUB | words_of("harmless", "grammar") | words_of("harmless", "said") | words_of("harmless", "verbs")
    return plain(word) in known | pattern.words | pattern.role_words | pattern.other_role_words
