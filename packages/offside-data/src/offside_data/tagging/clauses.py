"""Where an answer can be cut, so that what is said in one clause isn't held against another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from offside_data.tagging.dates import MONTHS
from offside_data.tagging.words import fold, is_abbreviation, word_list

Stretch = tuple[int, int]

_CUT = re.compile(
    r"(?P<end>[.!?;…]+)(?=\s|$)|\n+|(?P<comma>,)\s+|:\s+|[()]|\s+[–—-]+\s+"
    r"|\b(?P<conjunction>but|however|although|though|whereas|while|because)\b|\b(?=(?:rather\s+than|instead\s+of|and\s+not)\b)"
    r"|\band\s+(?=(?:he|she|they|it|his|her|their|the|is|was|has|had|will|plays|played|stands|stood|joined|won|cost|"
    r"moved|signed)\b)",
    re.I,
)
_INTERJECTION = re.compile(r"\s*(?:yes|no|nope|well|sure|ok|okay|sorry|hmm|correct|right)$", re.I)
_GOES_ON = word_list(
    """or and nor maybe possibly perhaps potentially is was are were has have had isn't wasn't aren't weren't hasn't
    depending plus up less more at"""
)
"""Words after a comma that belong to what stands before it: `35 million, or 40`, `the rumour, is false`."""
_SHORT = frozenset(month[:3] for month in MONTHS) | {"sept", "mio", "mrd", "tsd", "mln", "mill", "no", "nr", "approx"}


def clauses(text: str, values: Sequence[Stretch]) -> list[Stretch]:
    """The clauses of an answer; none ends inside a value.

    Args:
        text: The answer.
        values: Where values stand.
    """
    found, start = [], 0
    for match in _CUT.finditer(text):
        if not _is_inside(match.span(), values) and _cuts(text, match, start):
            # A conjunction belongs to neither clause.
            found.append((start, match.start() if match["conjunction"] else match.end()))
            start = match.end()
    found.append((start, len(text)))
    return [(start, end) for start, end in found if text[start:end].strip()]


def _is_inside(cut: Stretch, values: Sequence[Stretch]) -> bool:
    return any(start < cut[1] and cut[0] < end if cut[0] < cut[1] else start < cut[0] < end for start, end in values)


def _cuts(text: str, match: re.Match[str], start: int) -> bool:
    before, after = text[start : match.start()], text[match.end() :].lstrip()
    if match["comma"]:
        if _INTERJECTION.match(before):
            return True
        word = re.match(r"[^\W\d_]+(?:['’][^\W\d_]+)?", after)
        starts_low = word is not None and (word.group()[0].islower() or fold(word.group()) in _STARTS)
        return starts_low and word is not None and fold(word.group()).replace("’", "'") not in _GOES_ON
    if match["end"] == ".":
        last = re.search(r"[^\W_]+$", before)
        return not (after and last and (is_abbreviation(last.group()) or fold(last.group()) in _SHORT))
    return True


_STARTS = word_list("the he she they it his her their this that but however i")
