"""What of an answer its value doesn't account for: the rest of it may turn the value into something else.

A value stands only if every word, number and sign of the answer is part of the value, of the attribute's phrasings,
of what says when, or known to change nothing (`wording.yaml`).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

from offside_data.schema import ValueKind
from offside_data.tagging.amounts import find_amounts
from offside_data.tagging.dates import MONTHS, find_dates
from offside_data.tagging.digits import KNOWN, Stretch, masked
from offside_data.tagging.pattern import MEASURED, Pattern
from offside_data.tagging.stretches import Stretches, near
from offside_data.tagging.wording import Doubt, accented, doubt_of, doubtful_phrase, guess, phrases, plain, words_of
from offside_data.tagging.words import find_names, word_list

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")
_HARMLESS_SIGNS = frozenset(".,;:!'\"’‘“”„«»()[]*_`\u200b\ufeff\u00ad")
_QUOTES = frozenset('"“”„«»')
_BOUNDS_BEFORE = word_list("by from number do")  # "do 10 mln" is "up to 10m" in Polish
_RATES_AFTER = word_list("a an")
_TO = re.compile(r"\bto\s+(?:an?\s+|the\s+)?$", re.I)
_DASHES = frozenset("-–—−‐")
_BLANK = " .\u00a0\u202f"
_BLANKS = re.compile(f"[{_BLANK}]*")
_SPACES = re.compile(r"\s*")
_YEAR = r"(?:1[89]|20)\d\d"
_MONTH = rf"(?:early|mid|late|{'|'.join(MONTHS)}|{'|'.join(month[:3] for month in MONTHS)})"
_WHEN = r"(?:born|in|since|during|of|from|until|till|by|before|after|for|on|season|summer|winter|spring|autumn)"
_YEARS = re.compile(
    rf"(?:\b{_WHEN}\s+(?:the\s+)?(?:(?:year|season|summer|winter|spring|autumn)\s+(?:of\s+)?)?(?:{_MONTH}\s+)?|\(\s*)"
    rf"{_YEAR}(?:\s?[/–-]\s?(?:{_YEAR}|\d\d))?(?![\w.,]?\d)(?!\s*[€$£%])",
    re.I,
)
_TIMES = re.compile(
    r"\b(?:in|for|within)\s+(?:only\s+|just\s+)?(?:one|two|three|four|five|six|seven|eight|nine|ten|\d{1,2})\s+"
    r"(?:seasons?|years?|spells?|months?|stints?)\b"
    r"|\b(?:one|two|three|four|five|six|seven|eight|\d)-(?:year|season|month)\b(?!-)",
    re.I,
)
_BETWEEN_YEARS = re.compile(
    rf"\b(?:between\s+{_YEAR}\s+and|from\s+{_YEAR}\s+(?:to|until|till))\s+{_YEAR}(?![\w.,]?\d)", re.I
)
_ENDED = re.compile(r"(?:until|till|before)\b", re.I)
_MIDNIGHT = re.compile(r"(?:T|\b)00:00(?::00)?(?:\.0+)?(?:Z|\b)")
_AGE = re.compile(r"\(\s*aged?:?\s+\d{1,2}\s*\)", re.I)
_BEFORE_A_DATE = re.compile(rf"\b{_WHEN}\s+(?:the\s+)?$|\bdated\s+$|\(\s*$", re.I)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A piece of an answer that nothing accounts for.

    Args:
        text: It.
        doubt: What it does.
        is_beside: Whether it stands next to the value.
    """

    text: str
    doubt: Doubt
    is_beside: bool


def leftovers(
    text: str, taken: Sequence[Stretch], kind: ValueKind, pattern: Pattern, region: Stretch
) -> Iterator[Leftover]:
    """What a value doesn't account for.

    Args:
        text: An answer, or a clause of one.
        taken: Where its value stands.
        kind: The kind of the value.
        pattern: How answers of its attribute are worded.
        region: The part of the text to look at; the rest of it is a phrasing of the attribute.
    """
    seen = _seen(masked(text), tuple(taken), kind, pattern, region)
    if seen.phrase is not None:
        yield Leftover(text[slice(*seen.phrase)], "condition", is_beside=False)
    if seen.guess is not None:
        yield Leftover(text[slice(*seen.guess)], "approximation", is_beside=False)
    asides = _Asides(text, kind, pattern) if seen.pieces else None
    for piece in seen.pieces:
        assert asides is not None
        # Somebody's name is no doubt; "Crore" in "10 Crore" would be one.
        is_name = piece.doubt == "unknown" and not piece.is_compound and asides.name(piece.stretch)
        if not is_name and not asides.explain(piece.stretch):
            yield Leftover(text[slice(*piece.stretch)], piece.doubt, piece.is_beside)


class _Piece(NamedTuple):
    """A token that makes a value doubtful unless it is part of an aside."""

    stretch: Stretch
    doubt: Doubt
    is_beside: bool
    is_compound: bool


class _Seen(NamedTuple):
    """What stands beside a value: a doubtful phrase, a guess, and pieces."""

    phrase: Stretch | None = None
    guess: Stretch | None = None
    pieces: tuple[_Piece, ...] = ()


@lru_cache(maxsize=KNOWN)
def _seen(text: str, taken: tuple[Stretch, ...], kind: ValueKind, pattern: Pattern, region: Stretch) -> _Seen:
    """What of a text may make a value doubtful; the same for all texts that differ in their digits alone."""
    beside = _Beside(text, taken)
    tokens = [match for match in _TOKEN.finditer(text, *region) if not beside.stretches.hold(match.span())]
    if all(match.group() in _HARMLESS_SIGNS for match in tokens):
        return _Seen()
    phrase, guessed = doubtful_phrase(text, *region), guess(text, *region)
    if guessed is not None:
        start, end = guessed.span()
        tokens = [match for match in tokens if not (start <= match.start() and match.end() <= end)]
    pieces = []
    for match in tokens:
        doubt = _doubt_of_token(match, beside, kind, pattern)
        if doubt is not None:
            between = beside.between(match.span())
            is_compound = between is not None and _is_compound(match, beside, kind)
            pieces.append(_Piece(match.span(), doubt, between is not None, is_compound))
    return _Seen(phrase and phrase.span(), guessed and guessed.span(), tuple(pieces))


class _Beside:
    """The values in a text, as the words beside them see them.

    Args:
        text: The text.
        values: Where they stand.
    """

    def __init__(self, text: str, values: Sequence[Stretch]) -> None:
        self._text, self._values = text, values
        self.stretches = Stretches(values)

    def between(self, stretch: Stretch) -> str | None:
        """The dash, blanks or nothing between a token and a value; null if more is between them."""
        text = self._text
        for start, end in self._near(stretch):
            begin, stop = (end, stretch[0]) if end <= stretch[0] else (stretch[1], start)
            is_dash = stop - begin == 1 and text[begin] in _DASHES
            if is_dash or _BLANKS.fullmatch(text, begin, max(begin, stop)):
                return text[begin:stop]
        return None

    def _near(self, stretch: Stretch) -> Iterator[Stretch]:
        """The values that no more than a sign or blanks can part from a token."""
        start, end = stretch
        while start and self._text[start - 1] in _BLANK:
            start -= 1
        end = _BLANKS.match(self._text, end).end()  # type: ignore[union-attr]  # it matches nothing, too
        around = min(start, stretch[0] - 1), max(end, stretch[1] + 1)
        return (self._values[place] for place in self.stretches.touching(around))

    def follows(self, end: int) -> bool:
        """Whether nothing but blanks stands between a place and a value after it."""
        stop = _SPACES.match(self._text, end).end()  # type: ignore[union-attr]
        place = bisect_left(self._starts, end)
        return place < len(self._starts) and self._starts[place] <= stop

    def precedes(self, start: int) -> bool:
        """Whether nothing but blanks stands between a place and a value before it."""
        begin = start
        while begin and self._text[begin - 1].isspace():
            begin -= 1
        place = bisect_right(self._ends, start)
        return place > 0 and self._ends[place - 1] >= begin

    @property
    def are_several(self) -> bool:
        """Whether there is more than one."""
        return len(self._values) > 1

    @cached_property
    def _starts(self) -> list[int]:
        return sorted(start for start, _ in self._values)

    @cached_property
    def _ends(self) -> list[int]:
        return sorted(end for _, end in self._values)

    @cached_property
    def are_reached(self) -> bool:
        """Whether "to" stands before one: `grew to 1.80 m`."""
        return any(_TO.search(self._text, near(start), start) for start, _ in self._values)

    @cached_property
    def is_capital(self) -> bool:
        """Whether one of them begins with a capital."""
        return any(self._text[start].isupper() for start, _ in self._values)

    def are_money(self, end: int) -> bool:
        """Whether there are values after a place, each of which begins with the sign of a currency."""
        signs = self._starts
        return bool(signs) and signs[-1] >= end and self._last_without_sign < end

    @cached_property
    def _last_without_sign(self) -> int:
        """Where the last value starts that doesn't begin so."""
        signs = ((start, self._text[start : start + 1]) for start in self._starts)
        return max((start for start, sign in signs if unicodedata.category(sign or " ") != "Sc"), default=-1)


class _Asides:
    """What stands beside a value and changes nothing: when, at what price, whose name.

    Args:
        text: An answer.
        kind: The kind of its value.
        pattern: How answers of its attribute are worded.
    """

    def __init__(self, text: str, kind: ValueKind, pattern: Pattern) -> None:
        when = times(text, kind)
        if pattern.is_shared:  # "Swedish until 2015" isn't Swedish
            when = [(start, end) for start, end in when if not _ENDED.match(text, start)]
        explained = [*when, *phrases(text)]
        if kind not in MEASURED:
            explained += [(a.start, a.end) for a in find_amounts(text) if a.doubt is None]
        self._explained = Stretches(explained)
        names = () if kind in ("name", "place") else find_names(text)
        self._names = Stretches((n.start, n.end) for n in names)

    def explain(self, stretch: Stretch) -> bool:
        """Whether a piece of the text is part of one of them."""
        return self._explained.hold(stretch)

    def name(self, stretch: Stretch) -> bool:
        """Whether it is part of somebody's name."""
        return self._names.hold(stretch)


def _doubt_of_token(match: re.Match[str], beside: _Beside, kind: ValueKind, pattern: Pattern) -> Doubt | None:
    token, text = match.group(), match.string
    after = text[match.end() : match.end() + 1]
    if after == "." and plain(token) in words_of("abbreviated"):
        return "approximation"
    if token.isdigit():
        return "number"
    if not token[0].isalpha():
        if token in _QUOTES and text[match.start() - 1 : match.start()].isalpha() and after.isalpha():
            return "sign"  # It parts a word: `Os"lo`.
        joins = token in "/=" and beside.are_several and beside.between(match.span()) is not None  # 1.80 m / 5'11"
        return None if joins or _is_harmless_sign(token, after) else "sign"
    doubt = _doubt_of(token, kind, pattern)
    if kind in MEASURED and plain(token) in words_of("changes") and plain(token) not in pattern.words:
        return None if beside.are_reached else "change"
    if doubt is None and kind in MEASURED and _limits(plain(token), match.span(), beside):
        return "bound"
    if doubt is None and plain(token) not in pattern.words and beside.between(match.span()) in _DASHES:
        return "unknown"  # "left wing-back"
    return doubt


def _is_compound(match: re.Match[str], beside: _Beside, kind: ValueKind) -> bool:
    """Whether a word is one thing with the value that it stands next to: `10 Crore`, `Vice President`."""
    if beside.are_money(match.end()):
        return False  # "He cost Ostholm €12.5m": the currency is told already.
    return kind in MEASURED or (kind == "choice" and beside.is_capital)


def other_count(text: str, end: int, pattern: Pattern) -> Leftover | None:
    """What a number that ends at `end` counts, if it isn't what the attribute counts: `3 games` of trophies."""
    passed: Leftover | None = None
    for match in _TOKEN.finditer(text, end):
        word = plain(match.group())
        if word in pattern.nouns:
            return None
        if word in words_of("harmless", "things") or word in words_of("harmless", "time"):
            passed = passed or Leftover(match.group(), "counted", is_beside=True)
        elif word != "-" and word not in words_of("harmless", "manner"):
            break
    return passed


def times(text: str, kind: ValueKind) -> list[Stretch]:
    """Where an answer says when; of an answer that is about a day, nothing but midnight."""
    if kind == "date":
        return [m.span() for pattern in (_MIDNIGHT, _AGE) for m in pattern.finditer(text)]
    found = [(d.start, d.end) for d in find_dates(text) if _BEFORE_A_DATE.search(text, near(d.start), d.start)]
    return found + spans_of_time(text)


def spans_of_time(text: str) -> list[Stretch]:
    """Where an answer says in which years or for how long: `in 2019`, `in two seasons`."""
    return [m.span() for pattern in (_BETWEEN_YEARS, _YEARS, _TIMES) for m in pattern.finditer(text)]


def _limits(word: str, stretch: Stretch, beside: _Beside) -> bool:
    """Whether a word that is harmless elsewhere stands where it says more: `by July 1`, `€5m a year`."""
    if word in _BOUNDS_BEFORE:
        return beside.follows(stretch[1])
    return word in _RATES_AFTER and beside.precedes(stretch[0])


def _is_harmless_sign(sign: str, after: str) -> bool:
    if sign in _DASHES:
        return not (after.isdigit() or unicodedata.category(after or " ") == "Sc")
    return sign in _HARMLESS_SIGNS


def _harmless(kind: ValueKind) -> frozenset[str]:
    return words_of("harmless") if kind in MEASURED else _harmless_of_names()


@cache
def _harmless_of_names() -> frozenset[str]:
    others = ("grammar", "said", "time", "things", "verbs", "manner")
    return frozenset().union(*(words_of("harmless", group) for group in others))


def _doubt_of(token: str, kind: ValueKind, pattern: Pattern) -> Doubt | None:
    word = plain(token)
    if word in pattern.role_words or (token.lower() in accented() and word not in pattern.other_events):
        return None
    doubt = doubt_of(word)
    if kind == "place" and word in words_of("vicinity"):
        return "bound"
    if doubt is None and (token == "may" or (pattern.is_shared and word in words_of("other_times"))):
        return "condition"
    if kind == "date" and word in words_of("plans") and word not in pattern.words:
        return "condition"
    if doubt is None and word in pattern.other_events:
        return "unknown"
    word = word.removesuffix("'s")
    if doubt == "approximation" and word in pattern.words:
        return None
    if doubt is not None or word in _harmless(kind) or word in pattern.words:
        return doubt
    if kind in ("name", "place") and token.islower() and word in words_of("harmless", "other_languages"):
        return None  # names are told by their capitals, which "Spieler" has, too
    if word in words_of("roles", "goal") or (kind == "name" and word in words_of("roles", "origin")):
        return None
    return "unknown"
