"""Numbers, counts and lengths in free text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from offside_data.tagging.spelled import LANGUAGES, spelled_before
from offside_data.tagging.stretches import Stretches, Taken, near
from offside_data.tagging.wording import counted_in
from offside_data.tagging.words import fold

_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {w: i for i, w in enumerate(_UNITS + _TEENS)} | {w: 10 * (i + 2) for i, w in enumerate(_TENS)}
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-](?:{'|'.join(_UNITS[1:])}))?|{'|'.join(_TEENS)}|{'|'.join(_UNITS)})"
NUMBER_WORDS = rf"(?:(?:{'|'.join(_UNITS[1:])})[\s-]hundred(?:(?:[\s-]and)?[\s-]{_SMALL})?|{_SMALL})"
"""Pattern of a whole number in words, 0 to 999."""
DIGIT_WORDS = "|".join(_UNITS)
"""Pattern of a digit in words."""
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
_FRACTION = rf"(?:\s?[{''.join(_FRACTIONS)}])?"
_GROUPED = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?",
    r"\d{1,3}(?:\.\d{3})+(?:,\d+)?",
    r"\d{1,3}(?:['’]\d{3})+(?:[.,]\d+)?",
    "\\d{1,3}(?:[\u00a0\u202f ]\\d{3})+(?!\\d)(?:[.,]\\d+)?",
    r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?",  # India
)
DIGITS = rf"(?:(?:{'|'.join(_GROUPED)}|\d+(?:[.,]\d+)?){_FRACTION})"
"""Pattern of a number in digits, thousands grouped or not, decimal point or comma, perhaps `½` at its end.

Nothing that is put together otherwise, `1.2.3`, may be taken for its longest part: look at what follows a match.
"""
_THOUSANDS = rf"(?:{NUMBER_WORDS}|an?)[\s-]thousand(?:(?:[\s-]and)?[\s-]{NUMBER_WORDS})?"
_GROUPS = {"a couple of": 2.0, "a pair of": 2.0, "half a dozen": 6.0, "a dozen": 12.0}


@dataclass(frozen=True, slots=True)
class Number:
    """A number found in a text: its value, the words it was written in and where they stand."""

    value: float
    text: str
    start: int
    end: int


def parse_number_words(words: str) -> float:
    """The value of a whole number in words, e.g. a match of `NUMBER_WORDS`."""
    thousands = total = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word == "hundred":
            total *= 100
        elif word == "thousand":
            thousands, total = 1000 * max(total, 1), 0
        elif word not in ("and", "a", "an"):
            total += _VALUES[word]
    return float(thousands + total)


def parse_digits(digits: str, *, scaled: bool, decimal: str = ".") -> float:
    """The value of a match of `DIGITS`.

    One separator with three digits after it groups thousands (`€1.500`), for money has no thousandths. Before a
    word such as *million* it is read as the word's language has it: `1.500 million` is one and a half of them,
    `1.500 Millionen` a thousand times that.

    Args:
        digits: The match.
        scaled: Whether such a word follows.
        decimal: The sign before decimals in its language.
    """
    if digits[-1] in _FRACTIONS:
        return parse_digits(digits[:-1].rstrip(), scaled=scaled, decimal=decimal) + _FRACTIONS[digits[-1]]
    plain = re.sub(r"['’\u00a0\u202f ]", "", digits)
    dots, commas = plain.count("."), plain.count(",")
    if dots + commas > 1:
        last = max(plain.rfind("."), plain.rfind(","))
        if dots and commas:
            return float(re.sub("[.,]", "", plain[:last]) + "." + plain[last + 1 :])
        return float(re.sub("[.,]", "", plain))
    if dots + commas == 1:
        grouped = len(plain) - 1 - max(plain.find("."), plain.find(",")) == 3 and not plain.startswith("0")
        if grouped and not (scaled and decimal in plain):
            return float(re.sub("[.,]", "", plain))
        return float(plain.replace(",", "."))
    return float(plain)


# ---------------------------------------------------------------------------------------------
# Counts

_COUNT_DIGITS = re.compile(
    "(?<![\\w.,/:-])(?:\\d{1,3}(?:[\u00a0\u202f ]\\d{3}){1,4}(?! ?\\d)|"
    r"\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?!(?!yo\b|yrs?\b)\w|[.,/:-]\d|\.\w)"
)
_COUNT_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(_GROUPS)}|{_THOUSANDS}|{NUMBER_WORDS}|single)(?![\w’']|-(?:man|off|time)\b)", re.I
)
_ZERO = re.compile(
    r"\b(?:did|does|do|has|have|had)(?:\s+not|n['’]t)\s+(?:yet\s+|ever\s+)?(?:\w+\s+)?(?:any(?:thing)?|an?(?:\s+single)?)\b"
    r"|\b(?:has|have|had)\s+yet\s+to\s+win\s+(?:one|any|an?(?:\s+single)?)\b|\bnot\s+(?:a\s+single\s+one|a\s+single|one|any)\b"
    r"|\bno(?=\s+(?:\w+\s+){0,2}?(?:\w+s|silverware|trophy|title|cup)\b)|\bnone\b|\bnever\s+won(?:\s+(?:any(?:thing)?|an?(?:\s+single)?))?\b|\bnil\b|\bwon\s+nothing\b"
    r"|\bwithout\s+(?:winning\s+)?(?:any|an?(?:\s+single)?)\b",
    re.I,
)
_NOUN = re.compile(r"(?<=[^\W\d_][\s-])[^\W\d_]+")
# "the right one", "which one", "one of them": a pronoun, no count.
_PRONOUN_BEFORE = re.compile(
    r"\b(?:the|this|that|which|right|left|no|any|every|each|another|other|dominant|stronger|better|preferred|favou?red)"
    r"\s+$",
    re.I,
)
_OF_AFTER = re.compile(r"\s+of\b")


def find_counts(text: str, taken: Sequence[tuple[int, int]] = ()) -> list[Number]:
    """Whole numbers in digits or words, in order; nothing inside the `taken` stretches.

    `taken` holds dates, amounts and lengths, whose digits are no counts.
    """
    found = [Number(parse_digits(m.group(), scaled=False), m.group(), *m.span()) for m in _COUNT_DIGITS.finditer(text)]
    zeros = [Number(0.0, m.group(), *m.span()) for m in _ZERO.finditer(text)]
    for match in _COUNT_WORDS.finditer(text):
        word = match.group().lower()
        pronoun = word == "one" and (
            _PRONOUN_BEFORE.search(text, near(match.start()), match.start()) or _OF_AFTER.match(text, match.end())
        )
        if not pronoun:
            known = 1.0 if word == "single" else _GROUPS.get(word)
            value = parse_number_words(word) if known is None else known
            found.append(Number(value, match.group(), *match.span()))
    found += _spelled(text, found)
    blocked = Stretches([*taken, *((z.start, z.end) for z in zeros)])
    free = [n for n in found if not blocked.meet((n.start, n.end))]
    return sorted(free + zeros, key=lambda n: n.start)


def _spelled(text: str, found: Sequence[Number]) -> Iterator[Number]:
    """Numbers in words of other languages, before what is counted in them: `drei Titel`."""
    taken = Taken(text, ((n.start, n.end) for n in found))
    for noun in _NOUN.finditer(text):
        languages = LANGUAGES & counted_in().get(fold(noun.group()), frozenset())
        spelled = (spelled_before(text, noun.start(), language) for language in languages)
        values = {value for value in spelled if value is not None}
        for value, start in values if len(values) == 1 else ():
            said = text[start : noun.start()].rstrip(" -\u00a0")
            if not taken.meet((start, start + len(said))):
                taken.take((start, start + len(said)))
                yield Number(value, said, start, start + len(said))


# ---------------------------------------------------------------------------------------------
# Lengths, in metres

_INCHES_IN_WORDS = ("zero", *_UNITS[1:], "ten", "eleven")
_NOT_MORE = r"(?![\w’'])"
_METRES = re.compile(rf"(?<![\w.,])(\d{{1,9}}(?:[.,]\d+)?)\s*(?:m|met(?:er|re)s?){_NOT_MORE}", re.I)
_METRES_SPLIT = re.compile(
    rf"(?<![\w.,])(?:(\d)\s*(?:m|met(?:er|re)s?)\s*(\d{{2}})|(one|two)\s+met(?:er|re)s?\s+({_SMALL}))(?!\w|\s*k)", re.I
)
_CENTIMETRES = re.compile(r"(?<![\w.,])(\d{1,3}(?:[.,]\d+)?)\s*(?:cm|centimet(?:er|re)s?)(?!\w)", re.I)
_FEET = re.compile(
    rf"(?<![\w.,])(\d|{'|'.join(_UNITS[1:])})(?:[\s-]*(?:ft\.?|feet|foot)|(?<=\d)\s*['’′])"
    rf"(?:[\s-]*(?:and\s+)?(?:(\d{{1,2}}(?:\.\d+)?{_FRACTION})\s*(?:in(?:ch(?:es)?)?\b\.?|[\"”″]|''|’’)?"
    rf"|({'|'.join(_INCHES_IN_WORDS)})\b(?:[\s-]inch(?:es)?\b|(?!\s+of\b))))?(?!\w)",
    re.I,
)
_INCHES = re.compile(rf"(?<![\w.,])(\d{{2}}(?:\.\d+)?{_FRACTION})[\s-]*inch(?:es)?(?!\w)", re.I)
_BARE = re.compile(r"(?<![\w.,€£$])(\d[.,]\d{2})(?![\w€]|[.,]\d)(?!\s*(?:million|thousand|billion|euro|pound)\b)")


def find_lengths(text: str) -> list[Number]:
    """Lengths in metres, centimetres or feet and inches, in order, their values in metres.

    A bare `1.79` counts only where no length with a unit stands.
    """
    found: list[Number] = []
    for match in _METRES_SPLIT.finditer(text):
        metres, centimetres = (_whole(match[1] or match[3]), _whole(match[2] or match[4]))
        found.append(Number(metres + centimetres / 100, match.group(), *match.span()))
    for match in _CENTIMETRES.finditer(text):
        found.append(Number(round(_decimal(match[1]) / 100, 6), match.group(), *match.span()))
    for match in _FEET.finditer(text):
        inches = parse_digits(match[2], scaled=True) if match[2] else _whole(match[3] or "zero")
        metres = round((12 * _whole(match[1]) + inches) * 0.0254, 6)
        found.append(Number(metres, match.group().rstrip(), match.start(), match.end()))
    taken = Taken(text, ((n.start, n.end) for n in found))
    for match in _INCHES.finditer(text):
        if not taken.meet((match.start(), match.start() + 1)):
            taken.take(match.span())
            metres = round(parse_digits(match[1], scaled=True) * 0.0254, 6)
            found.append(Number(metres, match.group(), *match.span()))
    for match in _METRES.finditer(text):
        if not taken.meet((match.start(), match.start() + 1)):
            taken.take(match.span())
            found.append(Number(_decimal(match[1]), match.group(), *match.span()))
    if not found:
        found = [Number(_decimal(m[1]), m[1], *m.span(1)) for m in _BARE.finditer(text)]
    return sorted(found, key=lambda n: n.start)


def _whole(number: str) -> float:
    """A whole number in digits or words."""
    return float(number) if number.isdigit() else parse_number_words(number)


def _decimal(digits: str) -> float:
    return float(digits.replace(",", "."))
