"""How a value is written: its style, told from its text, and given to other values.

Of four options, the one with a decimal comma, in centimetres, in `million euros` or with a full stop gives itself away:
a model picks it without knowing anything. `style_of` says how a text is written, `written_like` writes a value as
another one is. `styles.yaml` has the forms of dates, units and scales.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any, NamedTuple

import yaml

from offside_data.schema import ClaimValue, ValueKind
from offside_data.tagging.amounts import find_amounts
from offside_data.tagging.dates import month_names
from offside_data.tagging.digits import KNOWN, masked
from offside_data.tagging.wording import counted_nouns
from offside_data.tagging.words import fold

_NUMBER = re.compile(r"\d+(?:[.,]\d+|['’\u00a0\u202f ]\d{3}(?!\d))*")
_DIGITS = re.compile(r"\d+")
_BEFORE_UNIT = re.compile(r"(?<=\d)-?(?=[^\W\d])")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_PLURALS = ((re.compile(r"ies\b"), "y"), (re.compile(r"(?<=[a-z])s\b"), ""))
_LETTERS = 5
"""A word in capitals that is shorter may be an abbreviation, and a full stop after one may be its own."""
_MOST_ROUNDED = 0.1
"""By so much of its size a wrong value may be rounded for the sake of its style."""
_GROUPINGS = (",", ".", " ")
"""Marks between thousands that are tried where the model has none, until the number is read as it is meant."""
_MOST_DIGITS = 10_000
"""So great a number isn't written where the right one is below a thousand: `€35000k` beside `€950k`."""


class WrittenStyle(NamedTuple):
    """How a text is written; null is what it doesn't tell.

    Args:
        words: Everything but the numbers and the name of a month: unit, currency, scale, signs and their order.
        decimal: The mark before decimals.
        grouping: The mark between thousands.
        month: Whether the name of a month is `full` or `short`.
        padding: Whether days and months below ten have a leading zero.
        case: `upper`, `lower` or `mixed`.
        stop: Whether a full stop ends it.
    """

    words: str | None = None
    decimal: str | None = None
    grouping: str | None = None
    month: str | None = None
    padding: str | None = None
    case: str | None = None
    stop: str | None = None


NAMES = {
    "words": "unit, currency, scale or order",
    "decimal": "decimal mark",
    "grouping": "mark between thousands",
    "month": "names of months",
    "padding": "leading zeros",
    "case": "capital letters",
    "stop": "full stop",
}
"""What a person calls the features of a style."""


@functools.cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = yaml.safe_load((resources.files(__package__) / "styles.yaml").read_text(encoding="utf-8"))
    return data


@functools.cache
def _months() -> tuple[tuple[int, str, str], ...]:
    """Number, name and `full` or `short` of every month in every language; a name that is both is `full short`."""
    found: dict[tuple[int, str], set[str]] = {}
    for months in month_names():
        for number, (full, *short) in enumerate(months, start=1):
            found.setdefault((number, full), set()).add("full")
            for name in short or [full]:  # One without a short name is both.
                found.setdefault((number, name), set()).add("short")
    longest = sorted(found.items(), key=lambda item: -len(item[0][1]))
    return tuple((number, name, " ".join(sorted(forms))) for (number, name), forms in longest)


@functools.cache
def _month_pattern() -> re.Pattern[str]:
    names = dict.fromkeys(re.escape(name) for _, name, _ in _months())
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(names)})(?![^\W\d_])", re.I)


@functools.lru_cache(maxsize=2**14)
def style_of(text: str, kind: ValueKind) -> WrittenStyle:
    """The style of a text that gives a value of a kind."""
    if kind in ("amount", "length", "count"):
        return _style_of_number(text, kind)
    if kind == "date":
        return _style_of_date(text)
    return WrittenStyle(case=_case_of(text), stop=_stop_of(text))


def unlike(styles: Iterable[WrittenStyle]) -> list[str]:
    """The features in which some styles differ, as a person calls them."""
    columns = zip(*styles, strict=True)
    return [
        NAMES[name] for name, values in zip(WrittenStyle._fields, columns, strict=True) if len({*values} - {None}) > 1
    ]


def _style_of_number(text: str, kind: ValueKind) -> WrittenStyle:
    numbers = _NUMBER.findall(text)
    if not numbers:
        unpriced = kind == "amount" and any(word in text.casefold() for word in _data()["unpriced"])
        return WrittenStyle() if unpriced else WrittenStyle(words="in words", case=_case_of(text))
    marks = [_marks(number, kind) for number in numbers]
    decimal = next((mark for mark, _ in marks if mark), None)
    grouping = next((mark for _, mark in marks if mark), None)
    words = " ".join(_NUMBER.sub("0", text).split())
    for ending, singular in _PLURALS:
        words = ending.sub(singular, words)
    return WrittenStyle(words=words, decimal=decimal, grouping=grouping)


def _marks(number: str, kind: ValueKind) -> tuple[str | None, str | None]:
    """The decimal mark and the mark between thousands of a written number."""
    found = re.findall(r"\D", number)
    if not found:
        return None, None
    *others, last = found
    if others and last not in others and last in ".,":
        return last, others[0]
    decimals = len(number.rpartition(last)[2])
    if others or last not in ".," or (decimals == 3 and kind != "length" and not number.startswith("0")):
        return None, last
    return last, None


def _style_of_date(text: str) -> WrittenStyle:
    name = _month_pattern().search(text)
    month = case = None
    if name:
        forms = {form for _, known, form in _months() if known.casefold() == name[0].casefold()}
        month = forms.pop() if len(forms) == 1 else None
        month = None if month == "full short" else month
        case = "upper" if name[0].isupper() else "lower" if name[0].islower() else "mixed"
        text = f"{text[: name.start()]}M{text[name.end() :]}"
    numbers = _DIGITS.findall(text)
    # A year of two digits stands last, and its zero belongs to it.
    of_days = numbers if any(len(number) > 2 for number in numbers) else numbers[:-1]
    small = [number for number in of_days if int(number) < 10]
    padding = None if not small else "with" if all(number.startswith("0") for number in small) else "without"
    words = _DIGITS.sub(lambda digits: "0000" if len(digits[0]) == 4 else "0", _ORDINAL.sub("th", text))
    return WrittenStyle(words=" ".join(words.split()), month=month, padding=padding, case=case)


def _case_of(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    if not letters or not any(map(str.islower, letters)):
        return "upper" if len(letters) >= _LETTERS and all(map(str.isupper, letters)) else None
    return "mixed" if any(map(str.isupper, letters)) else "lower"


def _stop_of(text: str) -> str:
    last = text.rpartition(" ")[2]
    abbreviated = len(last.rstrip(".")) < _LETTERS or "." in last[:-1]
    return "with" if text.endswith(".") and not abbreviated else "without"


# ---------------------------------------------------------------------------------------------
# Writing


def written_like(value: ClaimValue, model: ClaimValue) -> str | None:
    """A value's text in the style of another one's; null if it can't be written so.

    Args:
        value: The value; rounded as the other is.
        model: The one whose style it gets, of the same kind.
    """
    # Which digits they are says nothing, but for a leading zero: so a few kinds of texts are looked at once.
    masked, as_model = value.text.translate(_MASK), model.text.translate(_MASK)
    if masked == as_model or _is_alike(masked, as_model, model.kind):
        return value.text
    if model.kind == "date":
        return _date_like(value, model)
    if model.kind not in ("amount", "length"):
        return None if model.kind == "count" else value.text
    if says_nothing(value) or says_nothing(model):
        return value.text
    if value.number is None or model.number is None or (value.currency or "") != (model.currency or ""):
        return None
    return _number_like(value.number, model)


def all_written_like(values: Iterable[ClaimValue], model: ClaimValue) -> list[ClaimValue]:
    """Values in the style of another one, without those that can't be written so."""
    texts = ((value, written_like(value, model)) for value in values)
    return [dataclasses.replace(value, text=text) for value, text in texts if text is not None]


def says_nothing(value: ClaimValue) -> bool:
    """Whether the text of a value says nothing of how others are written: `a free transfer` among amounts."""
    return style_of(value.text, value.kind) == WrittenStyle()


_MASK = str.maketrans("23456789", "11111111")


@functools.lru_cache(maxsize=2**14)
def _is_alike(text: str, model: str, kind: ValueKind) -> bool:
    """Whether two texts are written alike already, decimals included."""
    if unlike((style_of(text, kind), style_of(model, kind))):
        return False
    if kind not in ("amount", "length"):
        return True
    decimals = [len(re.split(r"[.,]", "".join(_NUMBER.findall(one)[:1]))[-1]) for one in (text, model)]
    marks = [style_of(one, kind).decimal is not None for one in (text, model)]
    return marks == [False, False] or (marks == [True, True] and decimals[0] == decimals[1])


def canonical(value: ClaimValue) -> ClaimValue | None:
    """A value written in the one way in which any value of its kind can be; null if it has none."""
    forms = _data()["canonical"]
    if value.kind == "date" and value.date is not None:
        day = datetime.date.fromisoformat(value.date)
        text = _written(forms["date"], day, next(_names_of(day.month, "January February")))
    elif value.kind == "length" and value.number is not None:
        text = forms["length"].format(number=value.number)
    elif value.kind == "amount" and value.number and value.currency:
        sign = forms["signs"].get(value.currency, f"{value.currency} ")
        text = forms["amount"].format(number=value.number / 1e6, sign=sign)
    else:
        return None
    return dataclasses.replace(value, text=text)


def _date_like(value: ClaimValue, model: ClaimValue) -> str | None:
    style = _date_style(model.text, model.date or "")
    if style is None or value.date is None:
        return None
    form, names, case = style
    day = datetime.date.fromisoformat(value.date)
    name = names[day.month - 1] if names else ("", "")
    return _written(form, day, (_CASES[case](name[0]), _CASES[case](name[1])))


_CASES: Mapping[str, Any] = {"mixed": str, "title": str.capitalize, "upper": str.upper, "lower": str.lower}


@functools.lru_cache(maxsize=2**12)
def _date_style(text: str, date: str) -> tuple[str, tuple[tuple[str, str], ...], str] | None:
    """The form in which a date is written, the months' names in its language, and how these are capitalised."""
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        return None
    folded = text.casefold()
    for form in _data()["dates"]:
        if "mon" not in form:
            if _written(form, day, ("", "")) == text:
                return form, (), "mixed"
            continue
        for names in _languages():
            full, short = names[day.month - 1]
            if (full if "{month}" in form else short).casefold() not in folded:
                continue
            for case, change in _CASES.items():
                if _written(form, day, (change(full), change(short))) == text:
                    return form, names, case
    return None


@functools.cache
def _languages() -> tuple[tuple[tuple[str, str], ...], ...]:
    """Full and short name of each month by language; one with several short ones counts several times."""
    found = []
    for forms in month_names():
        for place in range(1, max(map(len, forms))):
            found.append(tuple((form[0], form[min(place, len(form) - 1)]) for form in forms))
        if max(map(len, forms)) == 1:
            found.append(tuple((form[0], form[0]) for form in forms))
    return tuple(found)


def _names_of(month: int, first: str) -> Iterator[tuple[str, str]]:
    """Names of a month in the languages whose first months are called so."""
    return (names[month - 1] for names in _languages() if f"{names[0][0]} {names[1][0]}" == first)


def _written(form: str, day: datetime.date, names: tuple[str, str]) -> str:
    return form.format(
        d=day.day,
        dd=f"{day.day:02}",
        th=f"{day.day}{_ending(day.day)}",
        m=day.month,
        mm=f"{day.month:02}",
        y=f"{day.year:04}",
        yy=f"{day.year % 100:02}",
        month=names[0],
        mon=names[1],
    )


def _ending(day: int) -> str:
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _number_like(number: float, model: ClaimValue) -> str | None:
    numbers = list(_NUMBER.finditer(model.text))
    if len(numbers) == 2:
        return _compound_like(number, model, [int(found[0]) for found in numbers if found[0].isdecimal()])
    if len(numbers) != 1 or model.number is None:
        return None
    written = numbers[0][0]
    for decimal, grouping in _readings(written, model.kind):
        plain = written.replace(grouping, "") if grouping else written
        stated = float(plain.replace(decimal, ".") if decimal else plain)
        factor = next((one for one in _data()["factors"] if abs(stated * one - model.number) <= 1e-6 * one), None)
        if factor is None or not stated:
            continue
        decimals = len(plain.rpartition(decimal)[2]) if decimal else 0
        before, after = model.text[: numbers[0].start()], model.text[numbers[0].end() :]
        for mark in (grouping, *_GROUPINGS) if model.kind == "amount" else (grouping,):
            text = _formatted(number / factor, stated, decimals, (decimal or ".", mark))
            if text is None or model.kind != "amount" or _reads_as(before + text + after, number):
                return text and before + text + after
    return None


def _reads_as(text: str, number: float) -> bool:
    """Whether an amount is read as the number that was written, but for its rounding: "3,400 tys." is 3.4 thousand."""
    found = find_amounts(text)
    said = found[0].number if len(found) == 1 else None
    return said is not None and abs(said - number) <= _MOST_ROUNDED * number


def _readings(written: str, kind: ValueKind) -> Iterator[tuple[str | None, str | None]]:
    """The ways to read the marks of a number, the likeliest first; which one is right the value tells."""
    decimal, grouping = _marks(written, kind)
    yield decimal, grouping
    if decimal or grouping:
        yield grouping, decimal


def _formatted(number: float, stated: float, decimals: int, marks: tuple[str, str | None]) -> str | None:
    """A number with as many decimals as the stated one, and its marks; null if it can't be rounded so."""
    rounded = round(number, decimals)
    if rounded <= 0 or abs(rounded - number) > _MOST_ROUNDED * number or (number >= _MOST_DIGITS and stated < 1_000):
        return None
    decimal, grouping = marks
    if grouping is None and stated < 1_000 <= rounded:
        grouping = "." if decimal == "," else ","
    text = f"{rounded:,.{decimals}f}" if grouping else f"{rounded:.{decimals}f}"
    return text.translate({ord(","): grouping or ",", ord("."): decimal})


def _compound_like(number: float, model: ClaimValue, parts: list[int]) -> str | None:
    """A length in feet and inches as another one is."""
    for unit in _data()["compounds"]:
        if len(parts) == 2 and abs(parts[0] * unit["major"] + parts[1] * unit["minor"] - (model.number or 0)) < 0.006:
            ratio = round(unit["major"] / unit["minor"])
            major, minor = divmod(round(number / unit["minor"]), ratio)
            (first, second), text = (found.span() for found in _NUMBER.finditer(model.text)), model.text
            return f"{text[: first[0]]}{major}{text[first[1] : second[0]]}{minor}{text[second[1] :]}"
    return None


# ---------------------------------------------------------------------------------------------
# Units that a sentence has already


@functools.cache
def _units() -> dict[str, str]:
    """Words that say the same and one of them, nouns of what is counted included: `títulos` before `trophies`."""
    return {word: words[0] for words in _data()["units"] for word in words} | counted_nouns()


@functools.cache
def _known_units() -> frozenset[str]:
    return frozenset(_units().values())


@functools.cache
def _short_units() -> tuple[tuple[re.Pattern[str], str], ...]:
    listed = _data()["short_units"].items()
    return tuple((re.compile(rf"(?<![^\W\d_])(?:{short})(?![^\W_])\.?", re.I), words) for short, words in listed)


def _spelled_out(text: str) -> str:
    """The text without short forms of several words: `27 y/o` is `27 years old`."""
    for short, words in _short_units():
        text = short.sub(words, text)
    return text


@functools.lru_cache(maxsize=KNOWN)
def same_unit(word: str) -> str:
    """A word without regard to case, marks and the ways to write a unit."""
    plain = fold(word).strip(".,;:!?()").replace(".", "")
    return _units().get(plain, plain)


def without_unit(value: str, after: str) -> str:
    """A value's text without the words with which the sentence goes on: `27 yrs` before `years old` is `27`.

    Args:
        value: The text.
        after: What stands behind it.
    """
    # Which digits a number has doesn't matter, unless the sentence goes on with one.
    number = _words_of_unit(value if any(map(str.isdigit, after)) else masked(value), after)
    return " ".join(_words_of(value)[:-number]) if number else value


@functools.lru_cache(maxsize=KNOWN)
def _words_of_unit(value: str, after: str) -> int:
    """How many words at the end of a value the sentence goes on with."""
    words, follow = _words_of(value), [same_unit(word) for word in after.split()]
    for number in range(min(len(words) - 1, len(follow)), 0, -1):
        if [same_unit(word) for word in words[-number:]] == follow[:number]:
            return number
    return 0


def _words_of(value: str) -> list[str]:
    return _BEFORE_UNIT.sub(" ", _spelled_out(value)).replace("-old", " old").split()


@functools.lru_cache(maxsize=KNOWN)
def repeats_unit(sentence: str) -> bool:
    """Whether a sentence says a unit twice running: `____ yrs years old`."""
    words = [same_unit(word) for word in _spelled_out(sentence).split()]
    return any(
        words[place : place + length] == words[place + length : place + 2 * length]
        and _known_units().issuperset(words[place:][:length])
        for length in (1, 2)
        for place in range(len(words) - 2 * length + 1)
    )
