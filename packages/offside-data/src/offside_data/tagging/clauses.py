"""Where an answer can be cut, so that what is said in one clause isn't held against another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from offside_data.tagging.dates import MONTHS
from offside_data.tagging.digits import KNOWN, Stretch, masked
from offside_data.tagging.wording import takes_back, words_of
from offside_data.tagging.words import fold, is_abbreviation, word_list

_CUT = re.compile(
    r"(?P<end>[.!?;…]+)(?=\s|$)|\n+|(?P<comma>,)\s+|:\s+|[()]|\s+[–—-]+\s+"
    r"|\b(?P<conjunction>but|however|although|though|whereas|while|because)\b|\b(?=(?:rather\s+than|instead\s+of|and\s+not)\b)"
    r"|\band\s+(?=(?:he|she|they|it|his|her|their|the|is|was|has|had|will|plays|played|stands|stood|joined|won|cost|"
    r"moved|signed)\b)"
    r"|\b(?=after\s+(?:he|she|they|it|his|her|their|the|an?|having)\b)|\b(?=who\s+(?:is|was|has|had|plays|played)\b)",
    re.I,
)
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
    for match in [*_CUT.finditer(text), None]:
        if match is not None and (_is_inside(match.span(), values) or not _cuts(text, match, start)):
            continue
        # A conjunction belongs to neither clause.
        end = len(text) if match is None else match.start() if match["conjunction"] else match.end()
        if goes_on and _takes_back(text, (start, end), values):
            found[-1] = found[-1][0], end
        elif text[start:end].strip():
            found.append((start, end))
        if match is not None:
            start, goes_on = match.end(), bool(found) and not match["end"] and "\n" not in match.group()
    return tuple(found)


def _takes_back(text: str, clause: Stretch, values: Sequence[Stretch]) -> bool:
    """Whether a clause has no value of its own and says that what was said before isn't so."""
    said = text[slice(*clause)]
    has_value = any(clause[0] <= start and end <= clause[1] for start, end in values)
    return not has_value and _BACK.search(said) is not None and takes_back(said)


def _is_inside(cut: Stretch, values: Sequence[Stretch]) -> bool:
    return any(start < cut[1] and cut[0] < end if cut[0] < cut[1] else start < cut[0] < end for start, end in values)


def _cuts(text: str, match: re.Match[str], start: int) -> bool:
    before, after = text[start : match.start()], text[match.end() :].lstrip()
    if match["comma"]:
        if _INTERJECTION.match(before):
            return True
        if _BEFOREHAND.match(before):
            return False
        word = re.match(r"[^\W\d_]+(?:['’][^\W\d_]+)?", after)
        if _OF_BEFORE.match(after):
            return False
        if word is not None and word.group() == "who":
            return _is_of_whom_we_speak(before)
        starts_low = word is not None and (word.group()[0].islower() or fold(word.group()) in _STARTS)
        return starts_low and word is not None and fold(word.group()).replace("’", "'") not in _GOES_ON
    if match["end"] == ".":
        last = re.search(r"[^\W_]+$", before)
        return not (after and last and (is_abbreviation(last.group()) or fold(last.group()) in _SHORT))
    if not match.group() and re.match("who", after, re.I):
        return _is_of_whom_we_speak(before)
    return True


def _is_of_whom_we_speak(before: str) -> bool:
    """Whether "who" goes on with the one whom the answer is about: after "a player", not after "his brother"."""
    last = re.search(r"[^\W\d_]+(?=\W*$)", before)
    return last is None or not last.group().islower() or fold(last.group()) in words_of("harmless")


_STARTS = word_list("the he she they it his her their this that but however i")
