"""Amounts of money in free text, and the words that stand for a move without a fee; `money.yaml` is the list."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from offside_data.tagging.numbers import DIGITS, NUMBER_WORDS, parse_digits, parse_number_words
from offside_data.tagging.spelled import LANGUAGES, spelled_before
from offside_data.tagging.words import fold

FREE = "free"
LOAN = "loan"
END_OF_LOAN = "end of loan"

_PARTS = {"a": 1.0, "half a": 0.5, "a quarter of a": 0.25, "three quarters of a": 0.75, "one and a half": 1.5}


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
    found = [a for a in map(_amount, _pattern().finditer(text)) if a is not None]
    found += [a for a in _spelled(text) if not any(a.start < f.end and f.start < a.end for f in found)]
    for term, pattern in _terms():
        for match in pattern.finditer(text):
            if not any(match.start() < a.end and a.start < match.end() for a in found):
                number = 0.0 if term == FREE else None
                found.append(Amount(number, None, term, match.group(), *match.span()))
    return sorted(found, key=lambda a: a.start)


def _spelled(text: str) -> Iterator[Amount]:
    """Amounts whose number is in words of another language than English: `zehn Millionen Euro`."""
    for match in _spelled_pattern().finditer(text):
        if match["scale"] is None:
            continue
        scale = _scales()[re.sub(r"\s+", " ", fold(match["scale"]))]
        for language in scale.languages:
            spelled = spelled_before(text, match.start(), language) if language in LANGUAGES else None
            if spelled is not None:
                number, start = spelled
                code = match["after"] and _code(match["after"])
                yield Amount(number * scale.factor, code, None, text[start : match.end()], start, match.end())
                break


def is_small_change(number: float, currency: str | None) -> bool:
    """Whether an amount, not 0, is so small that its thousands or millions seem to have got lost."""
    small: float = _money()["currencies"].get(currency, {"small": 0})["small"]
    return 0 < number <= small


def _amount(match: re.Match[str]) -> Amount | None:
    before, after = match["before"], match["after"]
    if before is None and after is None and match["scale"] is None:
        return None
    word = match["scale"] and re.sub(r"\s+", " ", fold(match["scale"]))
    if word == "th" and before is None:
        return None  # "6th of March"
    codes = {_code(sign) for sign in (before, after) if sign}
    code = next(iter(codes)) if len(codes) == 1 else None
    scale = _scales()[word] if word else None
    factor = scale.factor if scale else 1.0
    if scale and scale.by_currency:
        factor = scale.by_currency.get(code or "", factor)
    decimal = scale.decimal if scale else "."
    if scale and "any" in scale.languages:
        decimal = _money()["currencies"].get(code, {}).get("decimal", decimal)
    if match["of"] and match["of"].lower() != "of":
        decimal = ","  # "1,500 millions d'euros"
    number = _number(match, scaled=scale is not None, decimal=decimal) * factor
    if not math.isfinite(number):
        return None
    # Rounded to cents: 4.1 * 1e6 is 4099999.9999999995 in floats.
    number = round(number, 2) if scale else number
    doubt = f"it names several currencies, {', '.join(sorted(codes))}" if len(codes) > 1 else None
    if scale and scale.because and code not in (scale.by_currency or {}):
        doubt = f"{match['scale']!r} may be {scale.because}"
    if match["digits"] and _is_indian(match["digits"]) and code != "INR":
        doubt = f"{match['digits']!r} is grouped as rupees are"
    return Amount(number, code, None, match.group(), *match.span(), doubt)


def _number(match: re.Match[str], *, scaled: bool, decimal: str) -> float:
    if match["part"]:
        return _PARTS[re.sub(r"\s+", " ", match["part"].lower())]
    if match["digits"]:
        return parse_digits(match["digits"], scaled=scaled, decimal=decimal)
    return parse_number_words(match["words"])


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
def _scale_and_currency() -> str:
    currency, signs = _currency()
    scale = _either([*_money()["ambiguous"], *(w for said in _money()["scales"] for w in said["words"])])
    of = r"(?:\s+(?P<of>of\b|de\b|di\b|d['’]))?"
    return (
        rf"(?:[\s-]*(?P<scale>{scale})(?:(?={signs})|(?![^\W_])){of})?"
        rf"(?:(?:\.(?=\s*{currency}))?\s*(?P<after>{currency})(?!\s*\d))?"
    )


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?P<before>{_currency()[0]})\s*|(?<![\w.,]))"
        rf"(?:(?P<digits>{DIGITS})(?![.,'’]?\d)|(?P<part>{_either(_PARTS)})(?=\s+(?:million|billion))"
        rf"|(?P<words>{NUMBER_WORDS})(?![^\W_]))" + _scale_and_currency(),
        re.I,
    )


@cache
def _spelled_pattern() -> re.Pattern[str]:
    return re.compile(rf"(?<=[^\W\d_][\s-])(?=[^\W\d_]){_scale_and_currency()}", re.I)


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(w).replace(r"\ ", r"\s+") for w in sorted(words, key=len, reverse=True))
