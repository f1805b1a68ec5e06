"""Words, names and places in free text: folding, word-bounded search, capitalised names."""

from __future__ import annotations

import itertools
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

# Each CJK character is a word of its own, because these scripts put no blanks between words.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W_{_CJK}]|[\u0300-\u036f])*")
_ASCII_TOKEN = re.compile("[a-z0-9]+")
_MARKS = re.compile("[\u0300-\u036f]")
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def word_list(text: str) -> frozenset[str]:
    """A set of words written as one text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its folded form and where it stands in the text."""

    folded: str
    start: int
    end: int


@lru_cache(maxsize=2**16)
def fold(text: str) -> str:
    """Lower-case without accents: `Ødegård` and `odegard` fold to the same."""
    lowered = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", _MARKS.sub("", lowered))


def tokenize(text: str) -> list[Token]:
    """The words of `text`, folded, with their places."""
    return [Token(fold(m.group()), m.start(), m.end()) for m in _TOKEN.finditer(text)]


@lru_cache(maxsize=2**16)
def folded_words(text: str) -> tuple[str, ...]:
    """The folded words of `text`."""
    if text.isascii():  # Most texts: nothing but their case is folded.
        return tuple(map(sys.intern, _ASCII_TOKEN.findall(text.lower())))
    return tuple(map(fold, _TOKEN.findall(text)))


def contains(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether `part` stands in `words` as it is, word by word."""
    n = len(part)
    if n == 0:
        return False
    if n == 1:
        return part[0] in words
    whole = tuple(part)
    # Word by word first: slices alone took most of the time of comparing values.
    return any(words[i] == whole[0] and tuple(words[i : i + n]) == whole for i in range(len(words) - n + 1))


# ---------------------------------------------------------------------------------------------
# Names: runs of capitalised words

_WORD = re.compile(r"[^\W_][\w\u0300-\u036f]*(?:[.'’‐/-][^\W_][\w\u0300-\u036f]*)*")
_POSSESSIVE = re.compile(r"['’]s$")
_PARTICLES = word_list(
    """de da do dos das del della di du la le les el al ad as of and the van von der den ter ten bin ibn
    y e i zu zur af av sur sous upon on"""
)
_MONTHS = word_list("january february march april may june july august september october november december")
# Words that stand capitalised at the start of a sentence and are no name ("Will Lund" may be one).
_STARTERS = word_list(
    """the a an he she they it this that these those there here his her their its him them i i'm i've i'd we
    you your our my that's it's he's she's they're at in on of for from to with by as and or but if so yes no
    not also currently now then during after before since according based sorry unfortunately however although
    while when where which who what how why can could is was are were has have had did does do will would may
    might please both either neither all none born playing previously recently later prior looking probably perhaps
    maybe possibly allegedly reportedly apparently supposedly presumably likely almost nearly about around near outside
    never formerly former anyone anybody everyone nobody"""
)
_TELLS_MORE = word_list("from to not or but who which is was than instead since until before after via versus")
"""What no name holds, however long."""
_ABBREVIATIONS = frozenset({"st", "ste", "jr", "sr", "dr", "mr", "ms", "mt", "ft"})


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text and where it stands."""

    text: str
    start: int
    end: int


def is_abbreviation(word: str) -> bool:
    """Whether a full stop after `word` belongs to it: `St.`, `Jr.`, initials, `1.`."""
    folded = fold(word)
    return folded in _ABBREVIATIONS or len(folded) == 1 or (folded.isdigit() and len(folded) < 3)


def find_names(text: str) -> list[Span]:
    """Runs of capitalised words that look like names, in order; `1.FC Ostholm 05` is one run."""
    words = list(_WORD.finditer(text))
    spans: list[Span] = []
    i = 0
    while i < len(words):
        if _starts_a_date(words[i : i + 2]):
            i += 2
            continue
        last = _run_end(text, words, i)
        if last is None:
            i += 1
            continue
        name = _POSSESSIVE.sub("", text[words[i].start() : words[last].end()])
        if i < last or fold(name) not in _MONTHS:
            spans.append(Span(name, words[i].start(), words[i].start() + len(name)))
        i = last + 1
    return spans


def _starts_a_date(words: Sequence[re.Match[str]]) -> bool:
    """Whether two words are the beginning of a date: `May 1999`, `3 May`."""
    said = [fold(word.group()) for word in words]
    return len(said) == 2 and ((said[0] in _MONTHS and said[1].isdigit()) or (said[1] in _MONTHS and said[0].isdigit()))


def is_one_name(text: str, *, is_organisation: bool, is_place: bool) -> bool:
    """Whether a text is one name and nothing else: `van der Berg`, `Brackwater, Ostland`.

    Args:
        text: The text.
        is_organisation: Whether it may hold small words: `University of applied sciences Halden`.
        is_place: Whether commas may join its parts.
    """
    words = list(_WORD.finditer(text))
    if not words or text[: words[0].start()].strip("\"'“„«‘") or text[words[-1].end() :].strip("\"'”“»’"):
        return False
    for left, right in itertools.pairwise(words):
        if not _joined(text, left, right) and not (is_place and text[left.end() : right.start()].strip() == ","):
            return False
    told = [word.group() for word in words]
    if fold(told[0]) in _STARTERS:
        return False
    is_name = [_capital(word) or word.isdigit() for word in told]
    small = [fold(word) for word, is_big in zip(told, is_name, strict=True) if not is_big]
    if not any(map(_capital, told)) or not is_name[-1]:
        return False
    return all(word in _PARTICLES or (is_organisation and word not in _TELLS_MORE) for word in small)


def _run_end(text: str, words: list[re.Match[str]], first: int) -> int | None:
    """Index of the last word of the name that starts at word `first`, or None if none does."""
    start = words[first]
    if start.group().isdigit():
        after = first + 1
        if not (after < len(words) and _joined(text, start, words[after]) and _capital(words[after].group())):
            return None
    elif not _capital(start.group()) or _only_starts_a_sentence(text, words, first):
        return None
    last = first
    probe = first
    while probe + 1 < len(words) and _joined(text, words[probe], words[probe + 1]):
        probe += 1
        word = words[probe].group()
        if _starts_a_date(words[probe : probe + 2]):
            break  # "Halden on 3 May"
        if _capital(word) or word.isdigit():
            last = probe
        elif not (fold(word) in _PARTICLES and probe - last <= 3):
            break
    return last


_ALSO_NAMES = word_list("will may")
_CONTRACTED = re.compile(r"'(?:ll|d|re|ve)$")
_SENTENCE_ENDS = frozenset(".!?:\n")


def starts_sentence(text: str, start: int) -> bool:
    """Whether nothing but signs stands between a place and the beginning of its sentence."""
    while start and not (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
        if text[start] in _SENTENCE_ENDS:
            return True
    return start == 0


def _only_starts_a_sentence(text: str, words: list[re.Match[str]], i: int) -> bool:
    word = _CONTRACTED.sub("", fold(words[i].group()).replace("’", "'"))
    if word not in _STARTERS or not starts_sentence(text, words[i].start()):
        return word.split("'")[0] == "i"
    before_a_name = i + 1 < len(words) and _joined(text, words[i], words[i + 1]) and _capital(words[i + 1].group())
    return not (word in _ALSO_NAMES and before_a_name)


def _capital(word: str) -> bool:
    """Whether a word can be part of a name: capitalised, `1.FC`, `d'Ost`, or of a script without case."""
    head = word[0]
    if head.isdigit():
        return any(c.isupper() for c in word)
    if head.islower():
        return len(word) > 2 and word[1] in "'’" and word[2].isupper()
    return True


def _joined(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    gap = text[left.end() : right.start()]
    if gap.strip(" \u00a0") in ("", "&"):
        return True
    return gap.startswith(".") and not gap[1:].strip() and is_abbreviation(left.group())


def find_places(text: str) -> list[Span]:
    """Names, those joined by commas or brackets taken together: `Brackwater, Ostland`, `Brackwater (Ostland)`."""
    places: list[tuple[int, int]] = []
    for name in find_names(text):
        gap = text[places[-1][1] : name.start].strip() if places else ""
        closed = gap == "(" and text[name.end : name.end + 1] == ")"
        if gap == "," or closed:
            places[-1] = places[-1][0], name.end + closed
        else:
            places.append((name.start, name.end))
    return [Span(text[start:end], start, end) for start, end in places]
