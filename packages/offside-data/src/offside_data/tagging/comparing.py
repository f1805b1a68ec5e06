"""Whether two values are the same, by kind and tolerance and not as strings."""

from __future__ import annotations

import datetime
from functools import lru_cache

from offside_data.schema import ClaimValue
from offside_data.tagging.places import same_place
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

Options = tuple[tuple[str, ...], ...]

_EPSILON = 1e-9
_KNOWN_TEXTS = 2**16
"""How many texts are kept folded: values are compared with each other over and over."""
AFFIXES = frozenset({"fc", "cf", "afc"})
"""Folded words at either end of a name that don't tell it from another."""


def same_value(a: ClaimValue, b: ClaimValue, attribute: Attribute) -> bool:
    """Whether two values are the same, by kind and the attribute's tolerance.

    An amount without a currency equals the same number in any currency. A place equals a less
    precise one. Names are equal without `FC` and the like, and in any spelling of `attribute.options`.
    """
    if a.kind != b.kind:
        return False
    match a.kind:
        case "date":
            if a.date is None or b.date is None:
                return a == b
            return a.date == b.date or _days_apart(a.date, b.date) <= attribute.tolerance
        case "amount":
            return _same_amount(a, b, attribute.tolerance)
        case "length" | "count":
            if a.number is None or b.number is None:
                return a == b
            return abs(a.number - b.number) <= attribute.tolerance + _EPSILON
        case _:
            return a == b or _same_words(a, b, attribute)


def _days_apart(a: str, b: str) -> int:
    return abs((datetime.date.fromisoformat(a) - datetime.date.fromisoformat(b)).days)


def _same_amount(a: ClaimValue, b: ClaimValue, tolerance: float) -> bool:
    if a.number is None or b.number is None:
        return a == b or (a.number is b.number and a.unit is not None and a.unit == b.unit)
    if a.currency and b.currency and a.currency != b.currency and (a.number or b.number):
        return False
    return abs(a.number - b.number) <= tolerance * max(abs(a.number), abs(b.number)) + _EPSILON


def core_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """Folded words without `FC` and the like at either end, unless nothing else is left."""
    core = words
    while len(core) > 1 and core[0] in AFFIXES:
        core = core[1:]
    while len(core) > 1 and core[-1] in AFFIXES:
        core = core[:-1]
    return core


@lru_cache(maxsize=_KNOWN_TEXTS)
def spellings_of(text: str, options: Options) -> tuple[tuple[str, ...], ...]:
    """The folded words of a text and every other spelling of the options that they are one of."""
    words = folded_words(text)
    spellings = [words]
    for option in options:
        folded = [folded_words(s) for s in option]
        if words in folded:
            spellings += [s for s in folded if s]
    return tuple(spellings)


@lru_cache(maxsize=_KNOWN_TEXTS)
def _cores(text: str, options: Options) -> frozenset[tuple[str, ...]]:
    """What a text may be called by: the cores of its spellings."""
    return frozenset(core for words in spellings_of(text, options) if (core := core_of(words)))


def _same_words(a: ClaimValue, b: ClaimValue, attribute: Attribute) -> bool:
    if a.kind == "place":  # "FC Sweden" isn't Sweden: no affix is left out.
        said = set(spellings_of(a.text, attribute.options))
        return same_place(a.text, b.text) or not said.isdisjoint(spellings_of(b.text, attribute.options))
    return not _cores(a.text, attribute.options).isdisjoint(_cores(b.text, attribute.options))
