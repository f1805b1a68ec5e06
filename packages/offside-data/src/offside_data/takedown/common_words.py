"""Names of one word that are common words, too: *Will* and "he will join", *Young* and "a young player"."""

from __future__ import annotations

import re

from offside_data.tagging.wording import is_listed
from offside_data.tagging.words import fold, starts_sentence

_STEP_BEFORE, _STEP_AFTER = re.compile(r"[/=]$"), re.compile(r"[/?#&]|$|\s")
"""Between them a word is a step of an address: `/players/will`, `?player=will`."""


def is_written_as_common(text: str, start: int, end: int) -> bool:
    """Whether a word is written as a common one would be, so that nobody can say by it alone that it is a name.

    It is in lower case and neither a handle (`@will`, `will@…`) nor a step of an address; or it is a word that
    `wording.yaml` lists, and has its capitals from the place where it stands: it begins a sentence, or all is capitals.

    Args:
        text: The text.
        start: Where the word starts in it.
        end: Where it ends.
    """
    word = text[start:end]
    if text[max(0, start - 1) : start] in ("@", "#") or text[end : end + 1] == "@":
        return False
    if word.islower():
        return not (_STEP_BEFORE.search(text, max(0, start - 1), start) and _STEP_AFTER.match(text, end))
    return is_listed(fold(word)) and (starts_sentence(text, start) or (word.isupper() and text.isupper()))
