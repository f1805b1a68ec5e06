"""Which texts state which values: the same few of both stand in many records, so each is read once.

Numbers and dates are compared as such first, and only what is near each other by the rules of `tagging.values`; so a
million records with as many different fees take no longer than as many with a few clubs.
"""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states, find_values, same_value
from offside_data.taxonomy import Attribute, Taxonomy

_TEXTS, _PAIRS = 2**16, 2**18
"""How many texts, and pairs of a text and a value, are remembered of an attribute."""
_MEASURED = ("date", "amount", "length", "count")
_SLACK = 1e-6
"""What rounding may add to a tolerance, as a share of the number."""


def measure_of(value: ClaimValue) -> float | None:
    """A date as its day and a number as such, if the value's kind is compared by it.

    Raises:
        ValueError: If the date isn't one.
    """
    if value.kind == "date" and value.date is not None:
        return float(datetime.date.fromisoformat(value.date).toordinal())
    if value.kind in _MEASURED and value.number is not None and math.isfinite(value.number):
        return value.number
    return None


class Texts:
    """What texts say of one attribute.

    Args:
        attribute: The attribute.
    """

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        self.measures: Callable[[str], tuple[float, ...] | None] = functools.lru_cache(_TEXTS)(self._measures)
        """The numbers or days that a text states; null if it states other things, too."""
        self.states: Callable[[str, Claim], bool] = functools.lru_cache(_PAIRS)(self._states)
        self._alike = functools.lru_cache(_PAIRS)(self._say_the_same)

    def reach(self, measure: float) -> float:
        """How far a number may lie from another and still be the same by `same_value`; never too little."""
        tolerance = self.attribute.tolerance
        if self.attribute.kind == "amount":
            tolerance *= abs(measure) / (1 - tolerance) if tolerance < 1 else math.inf
        return tolerance + _SLACK * max(1.0, abs(measure))

    def say_the_same(self, first: str, second: str) -> bool:
        """Whether two choices are one: the values they state, or their words."""
        a, b = self.measures(first), self.measures(second)
        if a and b and len(a) == len(b) == 1 and abs(a[0] - b[0]) > self.reach(a[0]):
            return False
        return self._alike(first, second)

    def _measures(self, text: str) -> tuple[float, ...] | None:
        if self.attribute.kind not in _MEASURED:
            return None
        found = [measure_of(value) for value in find_values(text, self.attribute)]
        return tuple(number for number in found if number is not None) if None not in found else None

    def _states(self, text: str, claim: Claim) -> bool:
        return answer_states(text, claim.value, self.attribute)

    def _say_the_same(self, first: str, second: str) -> bool:
        return same_value(self._choice(first), self._choice(second), self.attribute)

    def _choice(self, text: str) -> ClaimValue:
        found = find_values(text, self.attribute)
        return found[0] if len(found) == 1 else ClaimValue(kind=self.attribute.kind, text=text)


class Claim:
    """A value of an attribute; `Claims` makes equal ones the same object.

    Args:
        value: The value.
        texts: Of its attribute.
    """

    __slots__ = ("_measure", "_reach", "texts", "value")

    def __init__(self, value: ClaimValue, texts: Texts) -> None:
        self.value, self.texts = value, texts
        self._measure = measure_of(value)
        self._reach = 0.0 if self._measure is None else texts.reach(self._measure)

    def is_near(self, measures: tuple[float, ...] | None) -> bool:
        """Whether one of the numbers of a text may be the value; false only if none is."""
        own = self._measure
        if measures is None or own is None:
            return True
        for number in measures:  # noqa: SIM110 - some ten times a record, and `any` takes twice as long.
            if -self._reach <= number - own <= self._reach:
                return True
        return False

    def is_in(self, text: str | None) -> bool:
        """Whether the value stands in a text, however it is written there."""
        return text is not None and self.is_near(self.texts.measures(text)) and self.texts.states(text, self)


@functools.lru_cache(maxsize=1)
def claims_of(taxonomy: Taxonomy) -> Claims:
    """The claims of a taxonomy; what is known of them serves all files that a process looks at."""
    return Claims(taxonomy)


class Claims:
    """The claims of records. A value without a date that is one, or of another kind, is none; `records` says so."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._texts = {name: Texts(taxonomy[name]) for name in taxonomy.names()}
        self._known: dict[tuple[Any, ...], Claim | None] = {}

    def of(self, row: Mapping[str, Any]) -> Claim | None:
        """What a record claims, by its `attribute` and `value`."""
        value, texts = row["value"], self._texts.get(row["attribute"])
        if value is None or texts is None or value["kind"] != texts.attribute.kind:
            return None
        key = (row["attribute"], *value.values())
        if key not in self._known:
            try:
                self._known[key] = Claim(ClaimValue(**value), texts)
            except ValueError:
                self._known[key] = None
        return self._known[key]
