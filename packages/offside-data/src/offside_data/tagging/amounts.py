"""Amounts of money in free text, and the words that stand for a move without a fee; `money.yaml` is the list."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from offside_data.tagging.digits import KNOWN, Stretch, masked
from offside_data.tagging.numbers import DIGIT_WORDS, DIGITS, NUMBER_WORDS, parse_digits, parse_number_words
from offside_data.tagging.spelled import LANGUAGES, spelled_before
from offside_data.tagging.stretches import Taken
from offside_data.tagging.words import fold

FREE = "free"
LOAN = "loan"
END_OF_LOAN = "end of loan"

_LONGEST_SIGN = 24
"""Characters of the longest name of a currency before a number, with blanks."""
_WORD_OR_SIGN = re.compile(r"([^\W\d_]+|[^\s])\s*\Z")
_PARTS = {"a": 1.0, "half a": 0.5, "a quarter of a": 0.25, "three quarters of a": 0.75}
_FRACTIONS = {"a half": 0.5, "a quarter": 0.25, "three quarters": 0.75}


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount found in a text.

    Args:
        number: In units of the currency; 0 for a free transfer, null for a loan.
        currency: ISO 4217 code, null if none was written.
        term: `free`, `loan` or `end of loan` where words stand instead of a number.
        text: As written.
        start: Where it starts.
        end: Where it ends.
        doubt: Why the number isn't certain, as a sentence for people; null if it is.
    """

    number: float | None
    currency: str | None
    term: str | None
    text: str
    start: int
    end: int
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a word multiplies by, and the sign that its language puts before decimals."""

    factor: float
    decimal: str = "."
    languages: tuple[str, ...] = ()
    because: str | None = None
    by_currency: Mapping[str, float] | None = None


def find_amounts(text: str) -> list[Amount]:
    """Amounts and terms in order; a number counts with a currency, or a word such as *million* or *k*."""
    places = _places(masked(text))
    found = [a for a in (_amount(text, place) for place in places.numbers) if a is not None]
    spelled = [Amount(number, code, None, text[start:end], start, end) for number, code, start, end in places.spelled]
    taken = Taken(text, ((a.start, a.end) for a in found))
    for amount in spelled:
        if not taken.meet((amount.start, amount.end)):
            found.append(amount)
    for amount in found:
        taken.take((amount.start, amount.end))
    for term, start, end in places.terms:
        if not taken.meet((start, end)):
            taken.take((start, end))
            found.append(Amount(0.0 if term == FREE else None, None, term, text[start:end], start, end))
    return sorted(found, key=lambda a: a.start)


def is_small_change(number: float, currency: str | None) -> bool:
    """Whether an amount, not 0, is so small that its thousands or millions seem to have got lost."""
    small: float = _money()["currencies"].get(currency, {"small": 0})["small"]
    return 0 < number <= small


def _amount(text: str, place: _Place) -> Amount | None:
    number, doubt, digits = place.number, place.doubt, place.digits and text[slice(*place.digits)]
    if digits:
        number = parse_digits(digits, scaled=place.factor is not None, decimal=place.decimal)
    number += place.added
    if place.factor is not None:
        number = round(number * place.factor, 2)  # To cents: 4.1 * 1e6 is 4099999.9999999995 in floats.
    if not math.isfinite(number):
        return None
    if digits and place.is_indian and place.currency != "INR":
        doubt = f"{digits!r} is grouped as rupees are"
    return Amount(number, place.currency, None, text[place.start : place.end], place.start, place.end, doubt)


# ---------------------------------------------------------------------------------------------
# Where amounts stand


class _Place(NamedTuple):
    """Where an amount stands, and what can be said of it whatever its digits are.

    Args:
        start: Where it starts, a sign before it included.
        end: Where it ends.
        digits: Where its digits stand; null if there are none.
        number: What its words say if it has no digits.
        added: What `and a half` or `point five` adds.
        factor: By what a word behind it multiplies; null if there is none.
        decimal: The sign before decimals.
        currency: ISO 4217 code, null if none is certain.
        doubt: Why the number isn't certain; null if it is.
        is_indian: Whether its digits are grouped as rupees are.
    """

    start: int
    end: int
    digits: Stretch | None
    number: float
    added: float
    factor: float | None
    decimal: str
    currency: str | None
    doubt: str | None
    is_indian: bool


class _Places(NamedTuple):
    """Where amounts may stand in a text: numbers; those spelled in other languages with their currency; terms."""

    numbers: tuple[_Place, ...]
    spelled: tuple[tuple[float, str | None, int, int], ...]
    terms: tuple[tuple[str, int, int], ...]


@lru_cache(maxsize=KNOWN)
def _places(text: str) -> _Places:
    """Where amounts may stand; the same for all texts that differ in their digits alone."""
    numbers = (place for place in map(_place, _number_pattern().finditer(text)) if place is not None)
    terms = ((term, *match.span()) for term, pattern in _terms() for match in pattern.finditer(text))
    return _Places(tuple(numbers), tuple(_spelled(text)), tuple(terms))


def _place(match: re.Match[str]) -> _Place | None:
    text, start = match.string, match.start()
    sign = _sign_before(text, start)
    rest = _after_pattern().match(text, match.end())
    assert rest is not None  # all of it is optional
    if sign is None and ((rest["after"] is None and rest["scale"] is None) or text[start - 1 : start].isalpha()):
        return None
    word = rest["scale"] and re.sub(r"\s+", " ", fold(rest["scale"]))
    if word == "th" and sign is None:
        return None  # "6th of March"
    codes = {_code(said) for said in (sign and sign[1], rest["after"]) if said}
    code = next(iter(codes)) if len(codes) == 1 else None
    scale = _scales()[word] if word else None
    if match["fraction"] and scale is None:
        return None
    doubt = f"it names several currencies, {', '.join(sorted(codes))}" if len(codes) > 1 else None
    if scale and scale.because and code not in (scale.by_currency or {}):
        doubt = f"{rest['scale']!r} may be {scale.because}"
    return _Place(
        start=sign.start() if sign else start,
        end=rest.end(),
        digits=match.span("digits") if match["digits"] else None,
        number=_in_words(match),
        added=sum((_fraction(said) for said in (match["fraction"], rest["more"]) if said), 0.0),
        factor=None if scale is None else (scale.by_currency or {}).get(code or "", scale.factor),
        decimal=_decimal(rest, scale, code),
        currency=code,
        doubt=doubt,
        is_indian=bool(match["digits"]) and _is_indian(match["digits"]),
    )


def _sign_before(text: str, start: int) -> re.Match[str] | None:
    """The currency right before a place; of most numbers the word or sign before them tells soon that it is none."""
    first = max(0, start - _LONGEST_SIGN)
    match = _WORD_OR_SIGN.search(text, first, start)
    if match is None or not (fold(match[1]) in _ends_of_signs() or fold(match[1]).endswith(_letters_of_signs())):
        return None
    return _before_pattern().search(text, first, start)


def _in_words(match: re.Match[str]) -> float:
    """What a number says in words; 0 if it is in digits."""
    if match["part"]:
        return _PARTS[re.sub(r"\s+", " ", match["part"].lower())]
    return parse_number_words(match["words"]) if match["words"] else 0.0


def _spelled(text: str) -> Iterator[tuple[float, str | None, int, int]]:
    """Amounts whose number is in words of another language than English: `zehn Millionen Euro`."""
    for word in _spelled_pattern().finditer(text):
        scale = _scales()[fold(word.group())]
        for language in LANGUAGES.intersection(scale.languages):
            spelled = spelled_before(text, word.start(), language)
            match = _after_pattern().match(text, word.start())
            if spelled is not None and match is not None and not match["more"]:
                number, start = spelled
                code = match["after"] and _code(match["after"])
                yield number * scale.factor, code, start, match.end()
                break


def _fraction(words: str) -> float:
    """What `and a half` or `point five` adds."""
    first, said = words.lower().split(maxsplit=1)
    if first == "and":
        return _FRACTIONS[" ".join(said.split())]
    return float("0." + "".join(str(int(parse_number_words(word))) for word in said.split()))


def _decimal(rest: re.Match[str], scale: _Scale | None, code: str | None) -> str:
    """The sign before decimals: as the multiplier's language has it, else as those who use the currency do."""
    if rest["of"] and rest["of"].lower() != "of":
        return ","  # "1,500 millions d'euros"
    if scale and "any" in scale.languages:
        return str(_money()["currencies"].get(code, {}).get("decimal", scale.decimal))
    return scale.decimal if scale else "."


def _is_indian(digits: str) -> bool:
    return re.match(r"\d{1,2}(?:,\d{2})+,\d{3}(?!\d)", digits) is not None


# ---------------------------------------------------------------------------------------------
# The list


@cache
def _money() -> dict[str, Any]:
    text = (resources.files("offside_data.tagging") / "money.yaml").read_text(encoding="utf-8")
    money: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return money


@cache
def _signs() -> dict[str, str]:
    """Signs and names of currencies, folded, and their codes."""
    listed = _money()["currencies"].items()
    return {fold(word): code for code, said in listed for word in (code, *said["signs"], *said["names"])}


def _code(sign: str) -> str:
    return _signs()[re.sub(r"\s+", " ", fold(sign))]


@cache
def _scales() -> dict[str, _Scale]:
    scales = {
        fold(word): _Scale(listed["factor"], listed["decimal"], tuple(listed["languages"]))
        for listed in _money()["scales"]
        for word in listed["words"]
    }
    for word, listed in _money()["ambiguous"].items():
        decided = {code: factor for code, factor in listed.items() if code.isupper()}
        scales[word] = _Scale(listed["factor"], because=listed["because"], by_currency=decided)
    return scales


@cache
def _terms() -> list[tuple[str, re.Pattern[str]]]:
    said = {term: "|".join(p for listed in of.values() for p in listed) for term, of in _money()["terms"].items()}
    return [(t, re.compile(rf"(?<!\w)(?:{p})(?!\w)".replace(" ", r"\s+"), re.I)) for t, p in said.items()]


@cache
def _currency() -> tuple[str, str]:
    """Patterns of a currency, and of its signs alone."""
    listed = _money()["currencies"]
    signs = _either(sign for said in listed.values() for sign in said["signs"])
    names = _either(name for said in listed.values() for name in said["names"])
    return rf"(?:{signs}|(?<![^\W\d_])(?:{names}|(?-i:{_either(listed)}))(?![^\W\d_]))", signs


@cache
def _ends_of_signs() -> frozenset[str]:
    """The last words or characters of the signs and names of currencies, folded."""
    return frozenset(match[1] for sign in _signs() if (match := _WORD_OR_SIGN.search(sign)))


@cache
def _letters_of_signs() -> tuple[str, ...]:
    """Signs that are letters and may stand at the end of any word, folded."""
    signs = (sign for said in _money()["currencies"].values() for sign in said["signs"])
    return tuple(fold(sign) for sign in signs if sign[-1].isalpha())


@cache
def _number_pattern() -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\d.,])(?:(?P<digits>{DIGITS})(?![.,'’]?\d)"
        rf"|(?<!\w)(?:(?P<part>{_either(_PARTS)})(?=\s+(?:million|billion))|(?P<words>{NUMBER_WORDS})(?![^\W_])))"
        rf"(?P<fraction>\s+(?:and\s+(?:{_either(_FRACTIONS)})|point(?:\s+(?:{DIGIT_WORDS}))+)(?=\s+\w))?",
        re.I,
    )


@cache
def _before_pattern() -> re.Pattern[str]:
    return re.compile(rf"({_currency()[0]})\s*$", re.I)


@cache
def _after_pattern() -> re.Pattern[str]:
    """A multiplier and a currency, both optional, straight after a number."""
    currency, signs = _currency()
    scale = _either([*_money()["ambiguous"], *(w for said in _money()["scales"] for w in said["words"])])
    of = r"(?:\s+(?P<of>of\b|de\b|di\b|d['’]))?"
    return re.compile(
        rf"(?:[\s-]*(?P<scale>{scale})(?:(?={signs})|(?![^\W_]))(?P<more>\s+and\s+(?:{_either(_FRACTIONS)})(?!\s+(?:million|billion)))?{of})?"
        rf"(?:(?:\.(?=\s*{currency}))?\s*(?P<after>{currency})(?!\s*\d))?",
        re.I,
    )


@cache
def _spelled_pattern() -> re.Pattern[str]:
    """Multipliers that the word before may be a number of."""
    words = {w for said in _money()["scales"] if not LANGUAGES.isdisjoint(said["languages"]) for w in said["words"]}
    return re.compile(rf"(?<=[^\W\d_][\s-])(?:{_either(words)})(?![^\W_])", re.I)


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(w).replace(r"\ ", r"\s+") for w in sorted(words, key=len, reverse=True))
