"""Wrong values near a true one: another day, a somewhat larger amount, a few centimetres more, written alike."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Iterator

from offside_data.schema import ClaimValue
from offside_data.tagging.dates import MONTHS
from offside_data.tagging.values import find_values
from offside_data.taxonomy import Attribute

_ATTEMPTS = 24
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")
_FARTHEST = 0.2
"""Metres that a near length differs by at most; nobody is 15 decimetres smaller."""
_DAYS = range(20, 400)
_FACTORS = [n / 100 for n in range(50, 200, 5) if n != 100]


def near_values(value: ClaimValue, attribute: Attribute, source: random.Random) -> Iterator[ClaimValue]:
    """Values of the same kind near `value`, perhaps equal to it within the tolerance.

    None come for kinds without numbers, nor for words that stand for a number (`free transfer`).
    """
    for _ in range(_ATTEMPTS):
        text = _near(value, source)
        found = find_values(text, attribute) if text else []
        if len(found) == 1 and found[0].text == text:
            yield found[0]


def _near(value: ClaimValue, source: random.Random) -> str | None:
    if value.date is not None:
        return _other_day(value.text, datetime.date.fromisoformat(value.date), source)
    if value.number is None:
        return None
    if value.kind == "count":
        most = max(3, round(value.number * 0.2))
        return str(max(0, round(value.number) + source.choice([n for n in range(-most, most + 1) if n])))
    numbers = _NUMBER.findall(value.text)
    if value.kind == "length":
        place = _last_place(value.number, numbers)
        steps = source.choice([n for n in range(-15, 16) if n and abs(n) * place <= _FARTHEST] or [0])
        if len(numbers) != 1:
            return f"{value.number + steps / 100:.2f} meters"  # "5 ft 11 in"
        return value.text.replace(numbers[0], _plus(numbers[0], steps))
    if value.kind == "amount" and len(numbers) == 1:
        return value.text.replace(numbers[0], _times(numbers[0], source.choice(_FACTORS)))
    return None


def _last_place(number: float, written: list[str]) -> float:
    """What one unit of the last place of a length is, in metres: a centimetre in `1.79 m` and in `179 cm`."""
    if len(written) != 1:
        return 0.01
    stated = float(written[0].replace(",", "."))
    decimals = len(written[0].replace(",", ".").partition(".")[2])
    return number / stated / 10**decimals if stated else 0.01


def _other_day(text: str, day: datetime.date, source: random.Random) -> str | None:
    """Another day some weeks or months away, written as `text` is, or as `May 1, 2000`."""
    try:
        other = _written(day + datetime.timedelta(days=source.choice(_DAYS) * source.choice((-1, 1))))
    except OverflowError:  # The year 1 or 9999
        return None
    return next((new for old, new in zip(_written(day), other, strict=True) if old == text), other[0])


def _written(day: datetime.date) -> list[str]:
    """A day as dates are usually written."""
    month = MONTHS[day.month - 1].capitalize()
    return [
        f"{month} {day.day}, {day.year:04}",
        f"{day.day} {month} {day.year:04}",
        day.isoformat(),
        f"{day.day:02}.{day.month:02}.{day.year:04}",
    ]


def _plus(number: str, steps: int) -> str:
    """A number some units of its last place greater or less: `1.79` and -3 give `1.76`."""
    whole, point, decimals = number.replace(",", ".").partition(".")
    changed = int(whole + decimals) + steps
    text = f"{max(changed, 1):0{len(decimals) + 1}}"
    return text[: len(text) - len(decimals)] + point + text[len(text) - len(decimals) :]


def _times(number: str, factor: float) -> str:
    """A number times a factor, with as many decimals and grouped alike."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", number):
        return f"{float(number.replace(',', '')) * factor:,.{len(number.partition('.')[2])}f}"
    if number.count(".") + number.count(",") > 1:
        return number
    decimals = len(number.replace(",", ".").partition(".")[2])
    text = f"{float(number.replace(',', '.')) * factor:.{decimals}f}"
    return text.replace(".", ",") if "," in number else text
