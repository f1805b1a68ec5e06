"""Texts as somebody reads them who looks for a name: escapes resolved, tags aside, letters in all their spellings.

A *view* of a text has its length, so what is found in it has its place in the text. `words_of` gives the words of a
view, each with the forms that it may be a spelling of: `Ødegård` is `odegard`, `oedegaard`, …
"""

from __future__ import annotations

import functools
import html
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import unquote_to_bytes

import yaml

from offside_data.tagging.words import fold

_JOINER = "\u2060"
"""Fills the place of what is left out within a word; invisible itself."""
_INVISIBLE = (
    "\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff"
)
_POINTS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u065f\u0670"
"""Vowel signs of Hebrew and Arabic, which are seldom written."""
_MARKS = f"\u0300-\u036f{_POINTS}\u20dd-\u20e4"
_CJK = "\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W_{_CJK}]|[\u24b6-\u24e9]"
_WORD = re.compile(rf"[{_CJK}]|(?:{_LETTER})(?:{_LETTER}|[{_MARKS}{_INVISIBLE}])*")
_POINT = re.compile(f"[{_POINTS}]")
_SHOWN = re.compile(f"[^{_INVISIBLE}]+")
_MOST_FORMS = 32
"""Spellings of one word that are tried: with more, the rarer ones are left."""
_MOST_LINES = 4
"""Spellings of a whole text that are looked at one by one."""
_MOST_DIGITS = 2
"""Digits side by side that may stand for letters."""
_MOST_NUMBERS = 3
"""A word with more numbers in it is a hash or a key, not a name."""


@functools.cache
def letters() -> dict[str, Any]:
    """The tables of `letters.yaml`, letters as single strings."""
    return dict(yaml.safe_load(files(__package__).joinpath("letters.yaml").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a hump of one: `KjellTamsvik` has two.

    Args:
        start: Where it begins in the text.
        end: Where it ends.
        forms: What it may be a spelling of, folded; the plainest first.
        begins: Whether a word begins with it.
        ends: Whether a word ends with it.
    """

    start: int
    end: int
    forms: tuple[str, ...]
    begins: bool = True
    ends: bool = True


def words_of(view: str) -> list[Word]:
    """The words of a view in order, those with humps or numbers in them part by part."""
    found = []
    for match in _WORD.finditer(view):
        start, text = match.start(), match.group()
        parts = _parts(text)
        last = len(parts) - 1
        for place, (begin, end, forms) in enumerate(parts):
            found.append(Word(start + begin, start + end, forms, place == 0, place == last))
    return found


def plain_words(view: str) -> list[list[str]] | None:
    """The words of a view, folded, in all their spellings; null if there are many, or a word has several parts."""
    found: list[list[str]] = [[]]
    for word in _WORD.findall(view):
        forms = _forms(word)
        if forms is None or len(found) * len(forms) > _MOST_LINES:
            return None
        if len(forms) > 1:
            found = [[*line, form] for form in forms for line in found]
        else:
            for line in found:
                line.append(forms[0])
    return found


@functools.lru_cache(2**16)
def _forms(word: str) -> tuple[str, ...] | None:
    parts = _parts(word)
    return parts[0][2] if len(parts) == 1 else None


@functools.lru_cache(2**16)
def _parts(word: str) -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """The parts of a word: start, end, forms. It is cut at humps, numbers and what is invisible."""
    if word.isascii() and word.isalpha() and (word[1:].islower() or word.isupper() or len(word) == 1):
        return ((0, len(word), (word.lower(),)),)
    cuts = {place for piece in _SHOWN.finditer(word) for place in piece.span()}
    numbers = len(re.findall(r"\d+", word)) <= _MOST_NUMBERS
    for place in range(1, len(word)):
        left, right = word[place - 1], word[place]
        if (left.islower() and right.isupper()) or (numbers and left.isdigit() != right.isdigit() and right.isalnum()):
            cuts.add(place)
    places = sorted(cuts)
    pieces = [(a, b) for a, b in itertools.pairwise(places) if _SHOWN.match(word, a, b)]
    return tuple((a, b, spellings(word[a:b], within=len(pieces) > 1)) for a, b in pieces)


@functools.lru_cache(2**16)
def spellings(word: str, *, within: bool = False) -> tuple[str, ...]:
    """What a word may be a spelling of, folded, the plainest first.

    Args:
        word: Without blanks.
        within: Whether it is a part of a longer one: digits may stand for letters then.
    """
    clean = _POINT.sub("", unicodedata.normalize("NFKC", word))
    plain = fold(clean)
    within = within and len(clean) <= _MOST_DIGITS
    if plain.isascii() and clean.isascii() and not (within and plain.isdigit()):
        return (plain,)
    options = [_options(letter, digits=within) for letter in clean.lower()]
    found = dict.fromkeys([plain])
    for combination in itertools.islice(itertools.product(*options), _MOST_FORMS):
        found["".join(combination)] = None
    return tuple(found)


@functools.cache
def _options(letter: str, *, digits: bool) -> tuple[str, ...]:
    tables = letters()
    base = fold(letter)
    if letter in tables["spellings"]:
        return tuple(tables["spellings"][letter])
    for candidate in (letter, base):
        if candidate in tables["lookalikes"]:
            return (*tables["lookalikes"][candidate], base)
    if digits and letter in tables["digits"]:
        return (*tables["digits"][letter], letter)
    return (base,)


# ---------------------------------------------------------------------------------------------
# Views

_ENTITY = re.compile(r"&\u2060*(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_PERCENT = re.compile(r"(?:%\u2060*[0-9A-Fa-f]{2})+")
_QUOTED = re.compile(r"(?:=[89A-F][0-9A-F]){2,}")
_UNICODE = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\x[0-9a-fA-F]{2})+")
_RTF = re.compile(r"\\'[0-9a-fA-F]{2}|\\u-?\d{2,6} ?\??")
_ONE = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})")
_TAG = re.compile(r"<[!/?A-Za-z][^<>]{0,4096}>")
_CONTROL = re.compile(r"\\[a-zA-Z]{1,32}-?\d{0,10}[ ]?|[{}]")
_ROUNDS = 3
"""How often what is escaped may be escaped again."""


def views(text: str) -> Iterator[str]:
    """The text with its escapes resolved, and the same without tags or control words where it has some."""
    view = text
    if not text.isascii() or any(mark in text for mark in "&%=\\"):
        for _ in range(_ROUNDS):
            before = view
            for mark, pattern, decode in _ESCAPES:
                if mark in view:
                    view = pattern.sub(functools.partial(_in_place, decode), view)
            if view == before:
                break
    yield view
    if "<" in view and _TAG.search(view):
        yield _TAG.sub(_blank, view)
    if view.startswith("{\\rtf"):
        yield _CONTROL.sub(_blank, view)


def _in_place(decode: Callable[[str], str], match: re.Match[str]) -> str:
    """What an escape stands for, as long as the escape; lines stay where they are."""
    escape = match.group()
    said = decode(escape.replace(_JOINER, ""))
    if said == escape or len(said) > len(escape):
        return escape
    kept = "".join(" " if c in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029" else c for c in said)
    return kept.ljust(len(escape), _JOINER)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def _from_bytes(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _from_quoted(escape: str) -> str:
    try:
        return bytes.fromhex(escape.replace("=", "")).decode("utf-8")
    except UnicodeDecodeError:
        return escape


def _from_unicode(escape: str) -> str:
    said = "".join(chr(min(int(next(filter(None, m.groups())), 16), 0x10FFFF)) for m in _ONE.finditer(escape))
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _from_rtf(escape: str) -> str:
    if escape.startswith("\\'"):
        return _from_bytes(bytes.fromhex(escape[2:]))
    return chr(int(escape[2:].rstrip(" ?")) % 0x10000)


_ESCAPES: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
    ("&", _ENTITY, html.unescape),
    ("%", _PERCENT, lambda escape: _from_bytes(unquote_to_bytes(escape))),
    ("=", _QUOTED, _from_quoted),
    ("\\", _UNICODE, _from_unicode),
    ("\\", _RTF, _from_rtf),
)
"""A character without which there is no such escape, what it looks like, what it stands for."""
