"""Dates in free text."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from offside_data.tagging.digits import KNOWN, Stretch, masked
from offside_data.tagging.stretches import Taken
from offside_data.tagging.words import fold

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth"),
    *("nineteenth", "twentieth", *(f"twenty-{word}" for word in ("first", "second", "third", "fourth", "fifth"))),
    *(f"twenty-{word}" for word in ("sixth", "seventh", "eighth", "ninth")),
    *("thirtieth", "thirty-first"),
)
_DAYS = {name: i + 1 for i, name in enumerate(_ORDINALS)}
_DAY_WORD = rf"\b(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})\b"
_DAY = rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|º|ª|\.(?=\s))?|(?P<word>{_DAY_WORD}))"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_MONTH = r"(?P<month>[^\W\d_]{3,12})\b\.?"
"""Any word: to look names up afterwards is much faster than to look for a hundred of them."""
_PATTERNS = (
    re.compile(rf"\b{_MONTH}\s*(?:the\s+)?{_DAY},?\s+{_YEAR}", re.I),
    re.compile(rf"(?<![\d.,]){_DAY}[\s.-]+(?:(?:of|de)\s+)?{_MONTH},?[\s-]+(?:(?:de|del)\s+)?{_YEAR}", re.I),
    re.compile(rf"(?<!\d)(?P<year>\d{{4}}),?\s+{_MONTH}\s*{_DAY}(?!\d)", re.I),
    # Excel's 1-Jul-23; without the dashes it may be July 23.
    re.compile(rf"(?<![\d.,-])(?P<day>\d{{1,2}})-{_MONTH}-(?P<year>\d\d)(?![\d-])", re.I),
    re.compile(r"(?<!\d)(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)"),
)
_TWO_DIGITS = re.compile(r"\d\d")
_NUMERIC = re.compile(r"(?<![\d.])(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4})(?!\d)")


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date found in a text."""

    date: datetime.date
    text: str
    start: int
    end: int


def find_dates(text: str) -> list[FoundDate]:
    """Whole dates (day, month, year) in order.

    `03.04.2021` is read day first. With slashes or dashes both orders are usual, so `03/04/2021` is
    not read at all, and `16/03/2021` and `03/16/2021` are.
    """
    found: list[FoundDate] = []
    if not _TWO_DIGITS.search(text):  # Most texts: no year, no date.
        return found
    taken = Taken(text)
    for date, start, end in _candidates(text):
        if date is not None and not taken.meet((start, end)):
            taken.take((start, end))
            found.append(FoundDate(date, text[start:end], start, end))
    return sorted(found, key=lambda f: f.start)


def _candidates(text: str) -> Iterator[tuple[datetime.date | None, int, int]]:
    named, numeric = _places(masked(text))
    for place in named:
        yield _date(_year(text[slice(*place.year)]), *(_number(text, n) for n in (place.month, place.day))), *place.span
    for place in numeric:
        # Either may be the day.
        year, first, second = (_number(text, n) for n in (place.year, place.day, place.month))
        day_first, month_first = _date(year, second, first), _date(year, first, second)
        if place.is_day_first or month_first is None or day_first == month_first:
            yield day_first or month_first, *place.span
        elif day_first is None:
            yield month_first, *place.span


def _number(text: str, part: int | Stretch) -> int:
    return part if isinstance(part, int) else int(text[slice(*part)])


class _Place(NamedTuple):
    """Where a date stands, and its parts: where their digits stand, or what their words say."""

    span: Stretch
    year: Stretch
    month: int | Stretch
    day: int | Stretch
    is_day_first: bool = True


@lru_cache(maxsize=KNOWN)
def _places(text: str) -> tuple[tuple[_Place, ...], tuple[_Place, ...]]:
    """Where dates may stand, those that tell the day from the month and others; whatever digits a text has."""
    named = (_place(match) for pattern in _PATTERNS for match in pattern.finditer(text))
    numeric = (
        _Place(match.span(), match.span("year"), match.span("second"), match.span("first"), match["sep"] == ".")
        for match in _NUMERIC.finditer(text)
    )
    return tuple(named), tuple(numeric)


def _place(match: re.Match[str]) -> _Place:
    month, word = match["month"], match.groupdict().get("word")
    return _Place(
        span=match.span(),
        year=match.span("year"),
        month=match.span("month") if month.isdecimal() else _months().get(fold(month), 0),
        day=_DAYS[word.lower()] if word else match.span("day"),
    )


def _year(digits: str) -> int:
    """A year; of two digits as spreadsheets read them, `29` of this century and `30` of the last."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 30 else 1900)


@cache
def month_names() -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The names of the months, by language: of each month the full name, then short ones."""
    return tuple(tuple(tuple(names.split("/")) for names in months) for months in _listed()["names"].values())


@cache
def _months() -> dict[str, int]:
    """The months by any of their names, folded; without names that are of different months in two languages."""
    known: dict[str, set[int]] = defaultdict(set)
    for months in month_names():
        for number, names in enumerate(months, start=1):
            for name in names:
                known[fold(name)].add(number)
    return {name: numbers.pop() for name, numbers in known.items() if len(numbers) == 1} | {
        fold(name): number for name, number in _listed()["also"].items()
    }


@cache
def _listed() -> Mapping[str, Any]:
    text = (resources.files("offside_data.tagging") / "months.yaml").read_text(encoding="utf-8")
    listed: Mapping[str, Any] = yaml.safe_load(text)
    return listed


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
