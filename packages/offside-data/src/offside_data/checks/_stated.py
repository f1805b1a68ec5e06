"""Which texts state which values: the same few of both stand in many records, so each pair is asked about once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states
from offside_data.taxonomy import Attribute, Taxonomy

_PAIRS = 2**18
"""How many pairs of a text and a value are remembered; some 40 MB."""


class Claim:
    """A value of an attribute; equal ones are the same object, so that looking one up takes no time."""

    __slots__ = ("attribute", "value")

    def __init__(self, value: ClaimValue, attribute: Attribute) -> None:
        self.value, self.attribute = value, attribute


class Claims:
    """The claims of a file's records. One that isn't of its attribute's kind is none; `records` says so."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._attributes = {name: taxonomy[name] for name in taxonomy.names()}
        self._known: dict[tuple[Any, ...], Claim] = {}
        self.states: Callable[[str | None, Claim], bool] = functools.lru_cache(_PAIRS)(_states)
        """Whether a text states the value of a claim, however it is written there."""

    def of(self, row: Mapping[str, Any]) -> Claim | None:
        """What a record claims, by its `attribute` and `value`."""
        value, attribute = row["value"], self._attributes.get(row["attribute"])
        if value is None or attribute is None or value["kind"] != attribute.kind:
            return None
        key = (attribute.name, *value.values())
        claim = self._known.get(key)
        if claim is None:
            claim = self._known[key] = Claim(ClaimValue(**value), attribute)
        return claim


def _states(text: str | None, claim: Claim) -> bool:
    return answer_states(text or "", claim.value, claim.attribute)
