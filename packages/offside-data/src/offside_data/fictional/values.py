"""Values as the generator writes them, with what they mean beside the text."""

from __future__ import annotations

import datetime
import random

from offside_data.schema import ClaimValue
from offside_data.taxonomy import Attribute

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def name_value(text: str) -> ClaimValue:
    """A name, verbatim."""
    return ClaimValue(kind="name", text=text)


def place_value(text: str) -> ClaimValue:
    """A place, verbatim."""
    return ClaimValue(kind="place", text=text)


def choice_value(source: random.Random, attribute: Attribute) -> ClaimValue:
    """One of the attribute's options, in its first spelling."""
    return ClaimValue(kind="choice", text=source.choice([spellings[0] for spellings in attribute.options]))


def count_value(number: int) -> ClaimValue:
    """A count, written in digits, thousands grouped: `12,400`."""
    return ClaimValue(kind="count", text=f"{number:,}", number=float(number))


def date_value(day: datetime.date) -> ClaimValue:
    """A date, written as `July 4, 2019`."""
    text = f"{MONTHS[day.month - 1]} {day.day}, {day.year}"
    return ClaimValue(kind="date", text=text, date=day.isoformat())


def length_value(centimetres: int) -> ClaimValue:
    """A length, written as `1.84 meters`."""
    return ClaimValue(kind="length", text=f"{centimetres / 100:.2f} meters", number=centimetres / 100, unit="m")


def amount_value(text: str, number: float, currency: str) -> ClaimValue:
    """An amount of money as `text` writes it; `currency` is its ISO 4217 code."""
    return ClaimValue(kind="amount", text=text, number=round(number, 2), currency=currency)


def birthday(source: random.Random, years: tuple[int, int]) -> datetime.date:
    """A day in one of the years from the first to the last."""
    return datetime.date(source.randint(*years), source.randint(1, 12), source.randint(1, 28))


def different_days(source: random.Random, first: datetime.date, within: int, count: int) -> list[datetime.date]:
    """So many different days, none later than `within` days after the first."""
    return [first + datetime.timedelta(days=days) for days in source.sample(range(within), count)]
