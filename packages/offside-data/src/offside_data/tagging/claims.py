"""Which texts state which values: the same few of both stand in many records, so each is read once.

Numbers, days and words are compared as such first, and only what may be the same by the rules of `tagging.values`: of
a million different fees and names almost no two are.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from offside_data.schema import ClaimValue
from offside_data.tagging.amounts import find_amounts
from offside_data.tagging.dates import find_dates
from offside_data.tagging.pattern import MEASURED
from offside_data.tagging.values import AFFIXES, answer_may_say, answer_states, find_values, same_value
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

_WORDED_TEXTS, _MEASURED_TEXTS = 2**15, 2**12
"""How many texts, and pairs of a text and a value, are remembered of an attribute: sentences with a number come back
less often, and are soon read."""
_WORDED = ("name", "text", "choice")
"""Kinds whose values are compared word by word, unless an attribute says how else they may be written."""
_SLACK = 1e-6
"""What rounding may add to a tolerance, as a share of the number."""


Mark = float | str | None
Marks = tuple[float, ...] | tuple[str, ...] | None


def measure_of(value: ClaimValue) -> float | None:
    """A date as its day and a number as such, if the value's kind is compared by it.

    Raises:
        ValueError: If the date isn't one, or the number isn't finite.
    """
    if value.kind == "date" and value.date is not None:
        return float(datetime.date.fromisoformat(value.date).toordinal())
    if value.number is not None and not math.isfinite(value.number):
        raise ValueError(f"{value.number} is no finite number")
    return None if value.number is None or value.kind not in MEASURED else float(value.number)


def telling_word(text: str) -> str | None:
    """A word that stands in every text that says the same as this name; null if there is none."""
    return max((word for word in folded_words(text) if word not in AFFIXES), key=len, default=None)


class Texts:
    """What texts say of one attribute.

    Args:
        attribute: The attribute.
    """

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        self.measured = attribute.kind in MEASURED
        """Whether its values are compared as numbers or days."""
        self.worded = attribute.kind in _WORDED and not attribute.options
        """Whether its values are compared word by word."""
        known = _MEASURED_TEXTS if self.measured else _WORDED_TEXTS
        read = self._measures if self.measured else folded_words if self.worded else lambda text: None
        self.marks: Callable[[str], Marks] = functools.lru_cache(known)(read)
        """The numbers, days or words of a text; null where they don't tell which values it states."""
        self.states: Callable[[str, Claim], bool] = functools.lru_cache(known)(self._states)
        self.may_say: Callable[[str, Claim], bool] = functools.lru_cache(known)(self._may_say)
        """As `tagging.values.answer_may_say`."""
        self.mark_of_choice = functools.lru_cache(known)(lambda text: self.mark_of(self._choice(text)))
        """What `mark_of` says of the value that an option stands for."""

    def mark_of(self, value: ClaimValue) -> Mark:
        """What stands in the `marks` of each text that states a value; null if nothing surely does.

        Raises:
            ValueError: As `measure_of`.
        """
        measure = measure_of(value)
        return telling_word(value.text) if self.worded else measure

    def reach(self, measure: float) -> float:
        """How far a number may lie from another and still be the same by `same_value`; never too little."""
        tolerance = self.attribute.tolerance
        if self.attribute.kind == "amount":
            tolerance *= abs(measure) / (1 - tolerance) if tolerance < 1 else math.inf
        return tolerance + _SLACK * max(1.0, abs(measure))

    def repeated(self, choices: Sequence[str]) -> Iterator[str]:
        """The choices that say the same as one before: the value they state, or else their words."""
        marks = [self.mark_of_choice(text) for text in choices]
        if None not in marks and self._differ(marks):
            return
        values = [self._choice(text) for text in choices]
        for place, text in enumerate(choices):
            if any(same_value(values[place], other, self.attribute) for other in values[:place]):
                yield text

    def _differ(self, marks: list[Any]) -> bool:
        """Whether no two of several marks are of the same value."""
        if not self.measured:
            return len(set(marks)) == len(marks)
        return all(second - first > self.reach(second) for first, second in itertools.pairwise(sorted(marks)))

    def _measures(self, text: str) -> tuple[float, ...] | None:
        found: list[float | None]
        match self.attribute.kind:  # Those that differ most often are read without making values of them.
            case "date":
                found = [float(date.date.toordinal()) for date in find_dates(text)]
            case "amount":
                found = [amount.number for amount in find_amounts(text)]
            case _:
                found = [measure_of(value) for value in find_values(text, self.attribute)]
        return tuple(number for number in found if number is not None) if None not in found else None

    def _states(self, text: str, claim: Claim) -> bool:
        return answer_states(text, claim.value, self.attribute)

    def _may_say(self, text: str, claim: Claim) -> bool:
        return answer_may_say(text, claim.value, self.attribute)

    def _choice(self, text: str) -> ClaimValue:
        found = find_values(text, self.attribute)
        return found[0] if len(found) == 1 else ClaimValue(kind=self.attribute.kind, text=text)


class Claim:
    """A value of an attribute; `Claims` makes equal ones the same object.

    Args:
        value: The value.
        texts: Of its attribute.

    Attributes:
        number: Which one of the listed `Claims` it is; null if it isn't listed.
        low, high: The numbers between which one stands in each text that states it; null if it isn't measured.
        word: A word that stands in each text that states it; null if there is none.
    """

    __slots__ = ("high", "low", "number", "texts", "value", "word")

    def __init__(self, value: ClaimValue, texts: Texts) -> None:
        self.value, self.texts = value, texts
        self.number: int | None = None
        mark = texts.mark_of(value)
        self.word = mark if isinstance(mark, str) else None
        self.low = self.high = None
        if isinstance(mark, float):
            reach = texts.reach(mark)
            self.low, self.high = mark - reach, mark + reach

    def may_be_in(self, marks: Marks) -> bool:
        """Whether a text with these marks may state the value; false only if it doesn't."""
        if marks is None or (self.low is None and self.word is None):
            return True
        if self.word is not None:
            return self.word in marks
        return any(self.low <= number <= self.high for number in marks)  # type: ignore[operator]

    def is_in(self, text: str | None) -> bool:
        """Whether the value stands in a text, however it is written there."""
        return text is not None and self.may_be_in(self.texts.marks(text)) and self.texts.states(text, self)

    def is_same(self, other: Claim) -> bool:
        """Whether another claim about the attribute says the same."""
        if self.word is not None and other.word is not None and self.word != other.word:
            return False
        if self.low is not None and other.low is not None and (self.low > other.high or other.low > self.high):  # type: ignore[operator]
            return False
        return same_value(self.value, other.value, self.texts.attribute)


def states_one(text: str, claims: Sequence[Claim]) -> bool:
    """Whether one of several claims about an attribute stands in a text."""
    if not claims:
        return False
    texts = claims[0].texts
    marks = texts.marks(text)
    for claim in claims:  # noqa: SIM110 - asked some ten times a record, and `any` takes twice as long.
        if claim.may_be_in(marks) and texts.states(text, claim):
            return True
    return False


@functools.lru_cache(maxsize=1)
def claims_of(taxonomy: Taxonomy) -> Claims:
    """The claims of a taxonomy; what is known of them serves all that a process looks at."""
    return Claims(taxonomy)


class Claims:
    """The claims of records. One of another kind, of no date or no finite number is none; `records` says so.

    Args:
        taxonomy: Whose attributes they are about.

    Attributes:
        texts: By attribute.
        listed: All claims so far, by their number.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.texts = {name: Texts(taxonomy[name]) for name in taxonomy.names()}
        self.listed: list[Claim] = []
        self._known: dict[tuple[str | None, ClaimValue], Claim | None] = {}

    def of(self, row: Mapping[str, Any]) -> Claim | None:
        """What a record claims, by its `attribute` and `value`."""
        value = row["value"]
        return None if value is None else self.claim(row["attribute"], ClaimValue(**value))

    def claim(self, attribute: str | None, value: ClaimValue) -> Claim | None:
        """The claim that an attribute has a value."""
        key = attribute, value
        if key not in self._known:
            claim = self.unlisted(attribute, value)
            self._known[key] = claim
            if claim is not None:
                claim.number = len(self.listed)
                self.listed.append(claim)
        return self._known[key]

    def unlisted(self, attribute: str | None, value: ClaimValue) -> Claim | None:
        """The same, not remembered, so that each call makes another one."""
        texts = self.texts.get(attribute or "")
        if texts is None or value.kind != texts.attribute.kind:
            return None
        try:
            return Claim(value, texts)
        except ValueError:
            return None
