"""Amounts of money in free text, and the words that stand for a move without a fee."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from offside_data.tagging.numbers import DIGITS, NUMBER_WORDS, parse_digits, parse_number_words

FREE = "free"
LOAN = "loan"
END_OF_LOAN = "end of loan"

_SYMBOLS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₩": "KRW", "₺": "TRY", "₹": "INR"}
_SYMBOLS |= {
    "US$": "USD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "R$": "BRL",
    "HK$": "HKD",
    "MX$": "MXN",
}
_NAMES = {
    "euro": "EUR",
    "euros": "EUR",
    "pound": "GBP",
    "pounds": "GBP",
    "pounds sterling": "GBP",
    "dollar": "USD",
    "dollars": "USD",
    "us dollars": "USD",
    "u.s. dollars": "USD",
    "australian dollars": "AUD",
    "canadian dollars": "CAD",
    "yen": "JPY",
    "swiss francs": "CHF",
    "reais": "BRL",
    "rupees": "INR",
    "swedish kronor": "SEK",
    "norwegian kroner": "NOK",
    "danish kroner": "DKK",
}
_CODES = "EUR GBP USD JPY CHF AUD CAD BRL INR SEK NOK DKK PLN TRY KRW CNY HKD MXN SAR AED"
_NAMES |= {code.lower(): code for code in _CODES.split()}
_SCALES = {
    "k": 1e3,
    "th": 1e3,
    "tsd": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mil": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "mio": 1e6,
    "mill": 1e6,
    "million": 1e6,
    "millions": 1e6,
    "bn": 1e9,
    "billion": 1e9,
    "billions": 1e9,
}
_PARTS = {"a": 1.0, "half a": 0.5, "a quarter of a": 0.25, "three quarters of a": 0.75, "one and a half": 1.5}


def _either(words: object) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))  # type: ignore[call-overload]


_CURRENCY = rf"(?:{_either(_SYMBOLS)}|(?<![^\W\d_])(?:{_either(_NAMES)})(?![^\W\d_]))"
_AMOUNT = re.compile(
    rf"(?:(?P<before>{_CURRENCY})\s*)?"
    rf"(?<![\w.,])(?:(?P<digits>{DIGITS})|(?P<part>{_either(_PARTS)})(?=\s+(?:million|billion))"
    rf"|(?P<words>{NUMBER_WORDS})(?![^\W_]))"
    rf"(?:[\s-]*(?P<scale>{_either(_SCALES)})(?:\s+of)?(?![^\W_]))?"
    rf"(?:(?:(?<=mio|tsd|mln)\.)?\s*(?P<after>{_CURRENCY})(?!\s*\d))?",
    re.I,
)
_TERMS = (
    (
        END_OF_LOAN,
        re.compile(r"\b(?:returned\s+at\s+the\s+)?end\s+of\s+(?:(?:an?|the|his|her|their)\s+)?loan(?:\s+\w+)?", re.I),
    ),
    (
        LOAN,
        re.compile(
            r"\bon\s+loan\b|\bloaned\b|\bloan(?:\s+(?:deal|move|transfer|spell|period|basis))?\b(?!\s+fee)",
            re.I,
        ),
    ),
    (
        FREE,
        re.compile(
            r"\bfree\s+(?:transfer|agent|of\s+charge)\b|\bbosman(?:\s+(?:transfer|deal|move))?\b|\b(?:on\s+a|for)\s+free\b(?!\s+transfer)"
            r"|\b(?:no|without\s+an?y?)\s+(?:transfer\s+)?fee\b",
            re.I,
        ),
    ),
)


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
    """

    number: float | None
    currency: str | None
    term: str | None
    text: str
    start: int
    end: int


def find_amounts(text: str) -> list[Amount]:
    """Amounts and terms in order; a number counts with a currency, or a word such as *million* or *k*."""
    found = [a for a in map(_amount, _AMOUNT.finditer(text)) if a is not None]
    for term, pattern in _TERMS:
        for match in pattern.finditer(text):
            if not any(match.start() < a.end and a.start < match.end() for a in found):
                number = 0.0 if term == FREE else None
                found.append(Amount(number, None, term, match.group(), *match.span()))
    return sorted(found, key=lambda a: a.start)


def _amount(match: re.Match[str]) -> Amount | None:
    currency = match["before"] or match["after"]
    scale = match["scale"]
    if currency is None and scale is None:
        return None
    if scale is not None and scale.lower() == "th" and match["before"] is None:
        return None  # "6th of March"
    if match["part"]:
        number = _PARTS[re.sub(r"\s+", " ", match["part"].lower())]
    elif match["digits"]:
        number = parse_digits(match["digits"], scaled=scale is not None)
    else:
        number = parse_number_words(match["words"])
    if scale is not None:
        # Rounded to cents: 4.1 * 1e6 is 4099999.9999999995 in floats.
        number = round(number * _SCALES[scale.lower()], 2)
    if not math.isfinite(number):
        return None
    return Amount(number, currency and _code(currency), None, match.group(), *match.span())


def _code(currency: str) -> str:
    return _SYMBOLS.get(currency.upper()) or _NAMES[re.sub(r"\s+", " ", currency.lower())]
