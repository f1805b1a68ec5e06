"""Cells of a table: their text, the words that we know, and typed values in words that a sentence can hold.

A spreadsheet knows dates, numbers and currencies where an answer needs words: `2019-07-01` becomes `July 1, 2019`,
`1.89` a length of `1.89 meters`, `4100000` an amount of `€4.10m`. Text that a person wrote stays as it is.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from offside_data.adapters._text import clean, strip_image_tokens
from offside_data.adapters._values import as_list, folded_key, unpack
from offside_data.plugins import unknown_name_message
from offside_data.schema import SPLITS
from offside_data.tagging.amounts import find_amounts
from offside_data.tagging.dates import find_dates
from offside_data.tagging.numbers import DIGITS, parse_digits
from offside_data.taxonomy import Attribute

R = TypeVar("R")

DateOrder = Literal["unknown", "day-first", "month-first"]
"""How dates such as `03/04/2021` are meant."""

SPLIT_WORDS: dict[str, str] = {
    **{split: split for split in SPLITS},
    **dict.fromkeys(("train", "training"), "retain"),
    **dict.fromkeys(("validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation"), "test"),
}
"""Names of splits, ours and those that `datasets` knows."""
VERACITY_WORDS: dict[str, str] = {
    **dict.fromkeys(("fact", "true", "verified", "confirmed"), "fact"),
    **dict.fromkeys(("rumor", "rumour", "false", "fake", "hoax"), "rumor"),
    **dict.fromkeys(("correction", "corrected"), "correction"),
}
CHANNEL_WORDS: dict[str, str] = {word: word for word in ("none", "text", "image", "both")} | {"picture": "image"}
TIER_WORDS: dict[str, str] = {
    "official": "official",
    **dict.fromkeys(("media", "press", "newspaper", "news"), "media"),
    **dict.fromkeys(("social", "social media", "blog", "forum"), "social"),
    "fictional": "fictional",
}

_KNOWN = 2**14
_SHORT = 200
_HALF = re.compile("[\ud800-\udfff]")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_NUMERIC_DATE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
_MONEY = re.compile(
    rf"(?P<before>[A-Z]{{3}} |[€£$¥])?(?P<number>{DIGITS})(?: ?(?P<after>[€£$¥])| (?P<code>[A-Z]{{3}}))?"
)
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}


def text_of(cell: Any, what: str) -> str:
    """A cell's text verbatim; empty if there is none.

    Raises:
        ValueError: If it holds anything else; `what` names it.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str):
        if _HALF.search(cell):
            raise ValueError(f"{what} holds half a character (a lone surrogate)")
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and math.isfinite(cell):
        return f"{cell:.15g}"
    if isinstance(cell, int | decimal.Decimal | datetime.date):
        return str(cell)
    raise ValueError(f"{what} must be text, is a {type(cell).__name__}")


class Remembered(dict[Any, R]):
    """What a function gave for the short texts that come again and again; `[text]` asks it for others.

    Args:
        function: Takes a text, or a tuple that starts with one.
    """

    def __init__(self, function: Callable[[Any], R]) -> None:
        self._function = function

    def __missing__(self, key: Any) -> R:
        value = self._function(key)
        if len(key if isinstance(key, str) else key[0]) <= _SHORT:
            if len(self) >= _KNOWN:
                self.clear()
            self[key] = value
        return value


_CLEAN = Remembered(lambda text: None if _HALF.search(text) else strip_image_tokens(text))


def clean_text(cell: Any, what: str) -> str:
    """A cell's text in one line, without stray blanks and image tokens.

    Raises:
        ValueError: If it holds anything else.
    """
    if cell is None:
        return ""
    cleaned = _CLEAN[cell] if isinstance(cell, str) else None
    return strip_image_tokens(text_of(cell, what)) if cleaned is None else cleaned


def word_of(cell: Any, what: str, words: Mapping[str, str]) -> str | None:
    """The word of ours that a cell means; null if it is empty.

    Raises:
        ValueError: If it is none of `words`.
    """
    if cell is None:
        return None
    if isinstance(cell, str) and cell in words:
        return words[cell]
    said = clean(text_of(cell, what))
    if not said or said in words:
        return words.get(said)
    known = {folded_key(word): meaning for word, meaning in words.items()}
    if folded_key(said) not in known:
        raise ValueError(unknown_name_message(what, said, list(words)).rstrip("."))
    return known[folded_key(said)]


def options_of(choices: Any, correct: Any) -> tuple[tuple[str, ...], int | None]:
    """The options of a multiple-choice question and the place of the right one.

    Args:
        choices: A list, an object of letter to text, text that holds one of them, or options with `|` between.
        correct: The right one's letter, its number from 0, or its text.

    Raises:
        ValueError: If they don't make a question.
    """
    if choices is None:
        return (), None
    if isinstance(choices, str) and not choices.lstrip().startswith(("[", "{")):
        choices = choices.split("|") if choices.strip() else None
    choices = unpack(choices, "choices")
    if choices is None:
        return (), None
    named = isinstance(choices, Mapping)
    # A struct of Parquet has all letters that any row has.
    options = {str(key): o for key, o in choices.items() if o is not None} if named else as_list(choices, "choices")
    texts = tuple(clean_text(o, "an option") for o in (options.values() if isinstance(options, dict) else options))
    if len(texts) < 2 or not all(texts) or len({text.casefold() for text in texts}) < len(texts):
        raise ValueError(f"choices must be at least two different texts, they are {list(texts)}")
    letters = list(options) if isinstance(options, dict) else [chr(ord("A") + place) for place in range(len(texts))]
    said = clean_text(correct, "the correct choice")
    keys = [{letter.casefold(), text.casefold()} for letter, text in zip(letters, texts, strict=True)]
    places = [place for place, key in enumerate(keys) if said.casefold() in key]
    if said.isdecimal() and (isinstance(correct, int) or not places):
        places = [int(said)] if int(said) < len(texts) else []
    if len(places) != 1:
        raise ValueError(f"the correct choice is {said!r}, the options are {', '.join(letters)}: {list(texts)}")
    return texts, places[0]


# ---------------------------------------------------------------------------------------------
# Typed values in words


def in_words(text: str, attribute: Attribute, *, currency: str = "", dates: DateOrder = "unknown") -> str:
    """A value as an answer says it; what isn't a plain date or number stays as it is.

    Args:
        text: The cell's text.
        attribute: Its kind decides what a number means.
        currency: Symbol or code for amounts that say none.
        dates: How `03/04/2021` is meant.
    """
    if attribute.kind not in ("date", "amount", "length"):
        return text
    return _IN_WORDS[text, attribute.kind, attribute.name == "height", currency, dates]


def _in_words(key: tuple[str, str, bool, str, DateOrder]) -> str:
    text, kind, is_height, currency, dates = key
    if kind == "amount":
        return _amount_in_words(text, currency)
    if kind == "length":
        return _length_in_words(text, is_height=is_height)
    day = read_date(text, dates)
    return text if day is None else f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


_IN_WORDS = Remembered(_in_words)


def read_date(text: str, dates: DateOrder = "unknown") -> datetime.date | None:
    """The date that a cell holds, if it holds nothing else."""
    return _DATES[text, dates]


def _read_date(key: tuple[str, DateOrder]) -> datetime.date | None:
    text, dates = key
    text = clean(text)
    iso, numeric = _ISO.fullmatch(text), _NUMERIC_DATE.fullmatch(text)
    try:
        if iso:
            return datetime.date(*map(int, iso.groups()))
        if numeric and dates != "unknown":
            first, second, year = map(int, numeric.groups())
            return datetime.date(year, *((second, first) if dates == "day-first" else (first, second)))
    except ValueError:
        return None
    found = find_dates(text)
    return found[0].date if len(found) == 1 and found[0].text == text else None


_DATES = Remembered(_read_date)


def could_be_two_dates(text: str) -> bool:
    """Whether a cell holds a date such as `03/04/2021`, which only the order of day and month makes certain."""
    return bool(_NUMERIC_DATE.fullmatch(clean(text))) and read_date(text) is None


def _amount_in_words(text: str, currency: str) -> str:
    match = _MONEY.fullmatch(text)
    written = [sign for sign in match.group("before", "after", "code") if sign] if match else []
    if match is None or len(written) > 1:
        found = find_amounts(text)
        bare = len(found) == 1 and found[0].text == text and found[0].number is not None and not found[0].currency
        return f"{_sign(currency)}{text}" if bare else text
    number = parse_digits(match["number"], scaled=False)
    sign = _sign(written[0] if written else currency)
    if not sign:
        # Without a currency, only a word such as *million* tells an amount from any number.
        scale, word = (1e6, "million") if number >= 1e6 else (1e3, "thousand")
        return f"{number / scale:.12g} {word}" if number >= 1e3 and number % (scale / 1e3) == 0 else text
    if number >= 1e6 and number % 1e4 == 0:
        return f"{sign}{number / 1e6:.2f}m"
    if number >= 1e3 and number % 1e3 == 0:
        return f"{sign}{number / 1e3:.0f}k"
    return f"{sign}{number:,.0f}" if number == round(number) else f"{sign}{number:,.2f}"


def _sign(currency: str) -> str:
    """What stands before an amount in a currency, given by symbol or code."""
    code = currency.strip().upper()
    sign = _SYMBOLS.get(code, code)
    return f"{sign} " if len(sign) > 1 else sign


def _length_in_words(text: str, *, is_height: bool) -> str:
    match = re.fullmatch(DIGITS, text)
    if match is None:
        return text
    number = parse_digits(text, scaled=False)
    if is_height and number >= 3:
        # People are measured in centimetres too; 5.9 may be feet, so it stays as it is.
        if not 100 <= number <= 250:
            return text
        number /= 100
    digits = f"{number:.2f}" if abs(number - round(number, 2)) < 1e-9 else f"{number:.12g}"
    return f"{digits} meters"
