"""What all records of a dataset say, small enough for every process: values to draw, and what is said of whom."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import hashlib
import itertools
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from offside_data.dataset.storage import Row
from offside_data.questions import alternatives, phrasings
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.claims import Claim, Claims, claims_of
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import find_values
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

READ = ("record_id", "subject_id", "attribute", "question", "value")
"""Columns of records that knowledge is made of."""
_RINGS = 8
"""Orders of a pool that records draw from; more of them even out how often a value is drawn."""


class Pool:
    """Values that can stand for one another, in an order of each record's own that no further value changes.

    Every value has a place on some rings, by its text alone; a record begins at a place of its own on one of them
    and goes round. So a value more or less changes what few records draw, and drawing doesn't look at all values.
    """

    def __init__(self, values: Mapping[str, ClaimValue], seed: int) -> None:
        self._values = [values[text] for text in sorted(values)]
        self._seed = seed

    def from_(self, record_id: str, claim: Callable[[ClaimValue], Claim | None]) -> Iterator[Claim]:
        """All values that are claims, those first that a record draws first; `claim` makes one of a value."""
        key = hashlib.blake2b(f"{self._seed} wrong answers {record_id}".encode(), digest_size=9).digest()
        places, order = self._rings[key[0] % _RINGS]
        start, claims = bisect.bisect_left(places, int.from_bytes(key[1:])), self._claims
        for place in itertools.chain(range(start, len(order)), range(start)):
            number = order[place]
            if number not in claims:
                claims[number] = claim(self._values[number])
            found = claims[number]
            if found is not None:
                yield found

    @cached_property
    def _claims(self) -> dict[int, Claim | None]:
        """What `from_` has made of its values; each process has its own."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_claims"}

    @cached_property
    def _rings(self) -> list[tuple[array[int], array[int]]]:
        """Of each ring the places, ascending, and which value stands at each: as plain numbers, there are so many."""
        rings = []
        for ring in range(_RINGS):
            key = f"{self._seed} {ring}".encode()
            hashes = [
                int.from_bytes(hashlib.blake2b(value.text.encode(), key=key, digest_size=8).digest())
                for value in self._values
            ]
            order = sorted(range(len(hashes)), key=hashes.__getitem__)
            rings.append((array("Q", map(hashes.__getitem__, order)), array("I", order)))
        return rings


class Knowledge:
    """What the records and pictures of a dataset say.

    Args:
        claims: All records, with the columns `READ`.
        taxonomy: Their taxonomy.
        images: Rows of the images table: what is readable in a picture is said of its subject, too.
        seed: Seed of the order in which records draw wrong answers.
    """

    def __init__(self, claims: pl.DataFrame, taxonomy: Taxonomy, *, images: Iterable[Row] = (), seed: int) -> None:
        self.taxonomy = taxonomy
        self._seed = seed
        self._values: list[ClaimValue] = []
        self._said: dict[tuple[str | None, str], tuple[int, ...]] = {}
        pools: dict[tuple[str, tuple[str, ...]], dict[str, ClaimValue]] = defaultdict(dict)
        for attribute, (subjects, value, questions) in _by_value(claims, taxonomy):
            number = len(self._values)
            self._values.append(value)
            text = phrasings.value_text(value, attribute)
            for words in questions:
                pools[attribute.name, words][text] = dataclasses.replace(value, text=text)
            self._add(subjects, attribute, number)
        for row in images:
            for shown in row.get("shown") or ():
                if shown["attribute"] in taxonomy:
                    attribute = taxonomy[shown["attribute"]]
                    self._values.append(_shown_value(shown["text"], attribute))
                    self._add([row.get("subject_id")], attribute, len(self._values) - 1)
        options = {a.name: {v.text: v for v in alternatives.option_values(a)} for a in taxonomy.attributes}
        self._pools = {key: Pool(options[key[0]] | values, seed) for key, values in pools.items()}

    def attribute_of(self, record: Record) -> Attribute | None:
        """What a record is about; null if it is about no subject or that isn't decided."""
        return None if record.attribute in (None, UNTAGGED.name) else self.taxonomy[record.attribute or ""]

    def said_of(self, record: Record, attribute: Attribute) -> list[Claim]:
        """What any record or picture says of the record's subject, as far as it could be an answer."""
        claims = self._claims_by_number[attribute.name]
        numbers = self._said.get((record.subject_id, value_group(attribute)), ())
        found = []
        for number in numbers:
            if number not in claims:
                claims[number] = self.claims.claim(attribute.name, self._values[number])
            found.append(claims[number])
        return [claim for claim in found if claim is not None]

    def drawn_by(self, record: Record, attribute: Attribute) -> Iterator[Claim]:
        """What others say that could stand in the record's answer, in an order of its own."""
        words = folded_words(record.question) if attribute.kind == "text" else ()
        pool = self._pools.get((attribute.name, words))
        if pool is None:
            return iter(())
        return pool.from_(record.record_id, functools.partial(self.claims.claim, attribute.name))

    @cached_property
    def claims(self) -> Claims:
        """Claims of the taxonomy; each process has its own."""
        return claims_of(self.taxonomy)

    @cached_property
    def _claims_by_number(self) -> dict[str, dict[int, Claim | None]]:
        return defaultdict(dict)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("claims", "_claims_by_number")}

    def _add(self, subjects: Iterable[str | None], attribute: Attribute, number: int) -> None:
        for subject in subjects:
            key = subject, value_group(attribute)
            self._said[key] = (*self._said.get(key, ()), number)


def _by_value(
    claims: pl.DataFrame, taxonomy: Taxonomy
) -> Iterator[tuple[Attribute, tuple[list[str | None], ClaimValue, list[tuple[str, ...]]]]]:
    """Each distinct value of an attribute: whose it is, and the questions that it answers if it is a free text."""
    import polars as pl

    kinds = {a.name: a.kind for a in taxonomy.attributes if a.name != UNTAGGED.name}
    free = [name for name, kind in kinds.items() if kind == "text"]
    known = claims.filter(pl.col("attribute").is_in(list(kinds)) & pl.col("value").is_not_null())
    asked = pl.when(pl.col("attribute").is_in(free)).then("question").otherwise(None).alias("question")
    groups = (
        known.select("attribute", "subject_id", asked, pl.col("value").struct.unnest())
        .group_by("attribute", "kind", "text", "number", "unit", "currency", "date")
        .agg(pl.col("subject_id").unique(), pl.col("question").drop_nulls().unique())
        # Whatever order the records were in: the last one of a text is what its pool holds.
        .sort("attribute", "text", "number", "unit", "currency", "date")
    )
    for attribute, *value, subjects, questions in groups.iter_rows():
        fields: Any = dict(zip(("kind", "text", "number", "unit", "currency", "date"), value, strict=True))
        words = [folded_words(question) for question in questions] or [()]
        yield taxonomy[attribute], (subjects, ClaimValue(**fields), words)


def value_group(attribute: Attribute) -> str:
    """Attributes whose values are true of one another: a player was with the clubs that he came from, too."""
    return f"{attribute.scope} {attribute.kind}" if attribute.kind in ("name", "place") else attribute.name


def _shown_value(text: str, attribute: Attribute) -> ClaimValue:
    found = find_values(text, attribute)
    return found[0] if len(found) == 1 else ClaimValue(kind=attribute.kind, text=text)
