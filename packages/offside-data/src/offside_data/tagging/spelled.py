"""Whole numbers in words of languages other than English, where a word such as *Millionen* tells the language."""

from __future__ import annotations

import re

from text_to_num import text2num

LANGUAGES = frozenset({"de", "fr", "es", "it", "pt", "nl", "da"})
"""Those that `text2num` reads, besides English."""
_LONGEST = 6
"""Words of the longest number that is looked for, `neuf cent quatre-vingt-dix-neuf`."""
_WORDS = re.compile(rf"(?:[^\W\d_]+[\s-]+){{0,{_LONGEST - 1}}}[^\W\d_]+[\s-]+$")


def spelled_before(text: str, end: int, language: str) -> tuple[float, int] | None:
    """The number in words that ends at a place, and where it starts; null if none does."""
    match = _WORDS.search(text, max(0, end - 80), end)
    if match is None:
        return None
    words = list(re.finditer(r"[^\W\d_]+", match.group()))
    for word in words:
        start = match.start() + word.start()
        try:
            return float(text2num(text[start:end].strip(" -\u00a0").lower(), language)), start
        except ValueError:
            continue
    return None
