"""Search spaces of sweeps: by option, the values to choose from or the range to draw from, each with its source.

A method or wrapper declares its own beside its options, as `search` of its `Config`; `GENERAL` is added to what trains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offside_data.errors import UsageError

Source = str
"""Where a space is from: `paper`, `code`, `ours`, or with a word more in brackets."""


@dataclass(frozen=True)
class SearchChoices:
    """Values, of which a trial takes one.

    Args:
        values: Numbers, texts, flags or null.
        source: Where they are from.
    """

    values: tuple[float | int | str | bool | None, ...]
    source: Source = "ours"

    def __post_init__(self) -> None:
        """Refuse nothing to choose from."""
        if not self.values or len(set(map(repr, self.values))) < len(self.values):
            raise ValueError(f"choices are values, each once, got {self.values}")

    @property
    def extremes(self) -> tuple[Any, ...]:
        """The values that must be allowed for all to be."""
        return self.values

    def in_words(self) -> str:
        """As `--search` takes it."""
        return ",".join("null" if value is None else f"{value}" for value in self.values)


@dataclass(frozen=True)
class SearchRange:
    """Numbers from `low` to `high`; on a logarithmic scale where `low` is above 0. Whole ones if both are.

    Args:
        low: The least.
        high: The greatest.
        source: Where they are from.
    """

    low: float | int
    high: float | int
    source: Source = "ours"

    def __post_init__(self) -> None:
        """Refuse a range of nothing."""
        if not self.low < self.high:
            raise ValueError(f"a range goes up, got {self.low}..{self.high}")

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def extremes(self) -> tuple[Any, ...]:
        """The values that must be allowed for all to be."""
        return self.low, self.high

    def in_words(self) -> str:
        """As `--search` takes it."""
        return f"{self.low:g}..{self.high:g}"


Dimension = SearchChoices | SearchRange
Space = Mapping[str, Dimension]

COMPARISON: Source = "paper (a comparison at 7B, 10 % forget set)"
"""Of the spaces that a published comparison searched; it chose on the splits that it reports, as no sweep here does."""
LEARNING_RATES = SearchChoices((1e-5, 2e-5, 3e-5), COMPARISON)
"""Of several methods there."""
GENERAL: Space = {"lr": SearchRange(1e-5, 1e-3), "max_steps": SearchChoices((20, 40, 80, 160))}
"""Of everything that trains, where a method says nothing else. source: ours."""


def parse_search(assignments: Iterable[str]) -> dict[str, Dimension]:
    """`lr=1e-5..1e-3` and `beta=0.1,0.5` to a space.

    Raises:
        UsageError: If one says something else, or an option stands there twice.
    """
    found: dict[str, Dimension] = {}
    for text in assignments:
        name, separator, values = (part.strip() for part in text.partition("="))
        if not separator or not name or not values or name in found:
            raise UsageError(f"--search takes OPTION=LOW..HIGH or OPTION=A,B,C, each option once; got {text!r}.")
        low, between, high = values.partition("..")
        try:
            if between:
                found[name] = SearchRange(_number(low), _number(high), "given")
            else:
                found[name] = SearchChoices(tuple(_plain(value) for value in values.split(",")), "given")
        except ValueError as error:
            raise UsageError(f"--search {text}: {error}. It takes OPTION=LOW..HIGH or OPTION=A,B,C.") from error
    return found


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _plain(text: str) -> float | int | str | bool | None:
    text = text.strip()
    named = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    try:
        return _number(text)
    except ValueError:
        return text


def as_document(space: Space) -> dict[str, Any]:
    """A space for JSON, in the order of its names."""
    return {name: {**dataclasses.asdict(space[name]), "kind": _kind(space[name])} for name in sorted(space)}


def _kind(dimension: Dimension) -> str:
    return "choices" if isinstance(dimension, SearchChoices) else "range"


def distribution(dimension: Dimension) -> Any:
    """As Optuna has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, SearchChoices):
        return CategoricalDistribution(dimension.values)
    if dimension.is_whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.low > 0)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.low > 0)


def rounded(value: Any, dimension: Dimension) -> Any:
    """A drawn value with three digits, as people write it, within the range."""
    if not isinstance(dimension, SearchRange) or dimension.is_whole:
        return value
    return min(max(float(f"{value:.3g}"), dimension.low), dimension.high)
