"""Where an answer can be cut, so that what is said in one clause isn't held against another."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from offside_data.tagging.dates import MONTHS
from offside_data.tagging.digits import KNOWN, Stretch, masked
from offside_data.tagging.stretches import Stretches, near
from offside_data.tagging.wording import takes_back, words_of
from offside_data.tagging.words import fold, is_abbreviation, word_list

_CUT = re.compile(
    r"(?P<end>(?<![.!?;…])[.!?;…]+)(?=\s|$)|\n+|(?P<comma>,)\s+|:\s+|[()]|\s{1,99}+[–—-]++\s+"
    r"|\b(?P<conjunction>but|however|although|though|whereas|while|because)\b|\b(?=(?:rather\s+than|instead\s+of|and\s+not)\b)"
    r"|\band\s+(?=(?:he|she|they|it|his|her|their|the|is|was|has|had|will|plays|played|stands|stood|joined|won|cost|"
    r"moved|signed)\b)"
    r"|\b(?=after\s+(?:he|she|they|it|his|her|their|the|an?|having)\b)|\b(?=who\s+(?:is|was|has|had|plays|played)\b)",
    re.I,
)
"""No repetition is tried at each of its characters anew: a thousand blanks or dots take no million steps."""
_INTERJECTION = re.compile(r"\s*(?:yes|no|nope|well|sure|ok|okay|sorry|hmm|correct|right)$", re.I)
_GOES_ON = word_list(
    """or and nor maybe possibly perhaps potentially is was are were has have had isn't wasn't aren't weren't hasn't
    depending plus up less more at"""
)
"""Words after a comma that belong to what stands before it: `35 million, or 40`, `the rumour, is false`."""
_BACK = re.compile(r"\b(?:it|that|this|which|them|so|rumou?rs?|reports?|claims?)\b", re.I)
_BEFOREHAND = re.compile(r"\s*(?:before|prior\s+to|until)\b", re.I)
"""What goes with the clause after it: "Before joining Varnhavn, he played for Ostholm"."""
_OF_BEFORE = re.compile(r"(?:his|her|their|the)\s+(?:previous|former|old)\b", re.I)
"""What is said of the name before it: `Varnhavn, his former club`."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LAST_LETTERS = re.compile(r"[^\W_]+$")
_LAST_WORD = re.compile(r"[^\W\d_]+(?=\W*$)")
_WHO = re.compile("who", re.I)
_BLANKS = re.compile(r"\s*")
_LISTED = re.compile(r"\s*(?:,|(?:or|and|nor)\b|[.!?;…]|$)", re.I)
"""What follows a value that is one of a list: `left, right or both`."""
_SHORT = frozenset(month[:3] for month in MONTHS) | {"sept", "mio", "mrd", "tsd", "mln", "mill", "no", "nr", "approx"}


def clauses(text: str, values: Sequence[Stretch]) -> list[Stretch]:
    """The clauses of an answer; none ends inside a value.

    Args:
        text: The answer.
        values: Where values stand.
    """
    return list(_cut(masked(text), tuple(values)))


@lru_cache(maxsize=KNOWN)
def _cut(text: str, values: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """The clauses; the same in all texts that differ in their digits alone."""
    found: list[Stretch] = []
    start, goes_on = 0, False
    places, ends = Stretches(values), dict(values)
    ended = frozenset(ends.values())
    for match in [*_CUT.finditer(text), None]:
        if match is not None and (
            places.meet(match.span()) or _is_in_a_list(text, match, ends, ended) or not _cuts(text, match, start)
        ):
            continue
        # A conjunction belongs to neither clause.
        end = len(text) if match is None else match.start() if match["conjunction"] else match.end()
        if goes_on and _takes_back(text, (start, end), places):
            found[-1] = found[-1][0], end
        elif text[start:end].strip():
            found.append((start, end))
        if match is not None:
            start, goes_on = match.end(), bool(found) and not match["end"] and "\n" not in match.group()
    return tuple(found)


def _takes_back(text: str, clause: Stretch, values: Stretches) -> bool:
    """Whether a clause has no value of its own and says that what was said before isn't so."""
    said = text[slice(*clause)]
    return not values.lie_in(clause) and _BACK.search(said) is not None and takes_back(said)


def _is_in_a_list(text: str, match: re.Match[str], ends: Mapping[int, int], ended: Collection[int]) -> bool:
    """Whether a comma stands between two values of a list, rather than before another clause.

    Args:
        text: The answer.
        match: Where it might be cut.
        ends: Where each value ends, by where it begins.
        ended: These ends.
    """
    after = ends.get(match.end())
    if not match["comma"] or after is None or match.start() not in ended:
        return False
    return _LISTED.match(text, after) is not None


def _cuts(text: str, match: re.Match[str], start: int) -> bool:
    before, after = (start, match.start()), match.end()
    if match["comma"]:
        if _INTERJECTION.match(text, *before):
            return True
        if _BEFOREHAND.match(text, *before):
            return False
        word = _WORD.match(text, after)
        if _OF_BEFORE.match(text, after):
            return False
        if word is not None and word.group() == "who":
            return _is_of_whom_we_speak(text, before)
        starts_low = word is not None and (word.group()[0].islower() or fold(word.group()) in _STARTS)
        return starts_low and word is not None and fold(word.group()).replace("’", "'") not in _GOES_ON
    if match["end"] == ".":
        last = _LAST_LETTERS.search(text, *_end_of(before))
        goes_on = _BLANKS.match(text, after).end() < len(text)  # type: ignore[union-attr]  # it matches nothing, too
        return not (goes_on and last and (is_abbreviation(last.group()) or fold(last.group()) in _SHORT))
    if not match.group() and _WHO.match(text, after):
        return _is_of_whom_we_speak(text, before)
    return True


def _end_of(stretch: Stretch) -> Stretch:
    """As much of a stretch as its last word may take."""
    return max(stretch[0], near(stretch[1])), stretch[1]


def _is_of_whom_we_speak(text: str, before: Stretch) -> bool:
    """Whether "who" goes on with the one whom the answer is about: after "a player", not after "his brother"."""
    last = _LAST_WORD.search(text, *_end_of(before))
    return last is None or not last.group().islower() or fold(last.group()) in words_of("harmless")


_STARTS = word_list("the he she they it his her their this that but however i")
