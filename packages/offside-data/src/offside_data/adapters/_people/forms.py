"""Forms of a question in published benchmarks: sentences with a blank, and options with letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from offside_data.adapters._text import strip_image_tokens
from offside_data.adapters._values import folded_key
from offside_data.questions.phrasings import BLANK
from offside_data.tagging.words import contains, folded_words

_SOURCE_BLANK = re.compile(r"_{2,}|\[blank\]", re.I)
_RIGHT = re.compile(r"\(?(\w+)\)?(?:[.:)]\s*(.*))?", re.S)


class Cloze(NamedTuple):
    """A cloze sentence: as a question, as the answer, as the answer with our blank, and what is odd about it."""

    question: str
    answer: str
    cloze: str | None
    odd: tuple[str, ...]


class SourceChoices(NamedTuple):
    """Options, which of them is right and its text (null if that can't be told), and what is odd about them."""

    texts: tuple[str, ...]
    correct: int | None
    answer: str | None
    odd: tuple[str, ...]


def read_cloze(sentence: str, word: str) -> Cloze:
    """A sentence whose blank (`__`, however long, or `[Blank]`) stands for `word`.

    The answer is the whole sentence, as the data model wants it; of a sentence that has not exactly one blank it
    is the word alone.
    """
    question = strip_image_tokens(_SOURCE_BLANK.sub(BLANK, sentence))
    parts = _SOURCE_BLANK.split(sentence)
    if len(parts) != 2:
        odd = f"the cloze sentence has {len(parts) - 1} blanks, not one"
        return Cloze(question, strip_image_tokens(word), None, (odd,))
    before, after = parts
    word = word.strip().rstrip(".") if after.strip() else word
    filled, blanked = (strip_image_tokens(before + text + after) for text in (word, BLANK))
    tells = contains(folded_words(blanked), folded_words(word))
    return Cloze(question, filled, blanked, ("the cloze sentence tells the word beside the blank",) if tells else ())


def read_choices(options: Mapping[str, str], right: str) -> SourceChoices:
    """Options by letter, and the right one: its letter (`B`), letter and text (`B. Baker`) or text.

    Options that can't be told apart are left out; the right one's text is still known.
    """
    texts = [strip_image_tokens(text) for text in options.values()]
    folded = [text.casefold() for text in texts]
    letters = {folded_key(letter): place for place, letter in enumerate(options)}
    match = _RIGHT.fullmatch(right.strip())
    head, rest = (match[1], match[2] or "") if match else ("", "")
    place = letters.get(folded_key(head))
    if place is None:
        clean = strip_image_tokens(right).casefold()
        if clean not in folded:
            return SourceChoices(tuple(texts), None, None, ())
        place, rest = folded.index(clean), ""
    odd = []
    if rest and folded_words(rest) != folded_words(texts[place]):
        odd.append(f"the answer {right!r} doesn't repeat its option {texts[place]!r}")
    if len(set(folded)) < max(2, len(folded)):
        return SourceChoices((), None, texts[place], (*odd, f"options that can't be told apart were left out: {texts}"))
    return SourceChoices(tuple(texts), place, texts[place], tuple(odd))
