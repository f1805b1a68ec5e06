"""The people of the fictional league: their names, faces and the facts that hold in every picture.

People stand in one row without end; every fifth is a holdout that no model ever sees. Whoever
stands at a place of that row is decided by the seed and those before, never by how many follow.
"""

from __future__ import annotations

import datetime
import functools
import random
from dataclasses import dataclass
from typing import Literal

from offside_data.fictional import vocabulary as words
from offside_data.fictional.looks import Look, looks
from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_data.taxonomy import Taxonomy

Cohort = Literal["member", "holdout"]

HOLDOUT_EVERY = 5
_TODAY = datetime.date(2025, 7, 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """One fictional person.

    Args:
        subject_id: `player-001` for members, `holdout-001` for holdouts.
        cohort: `member` or `holdout`.
        name: First and last name, each unique in the league.
        look: What the person looks like in every picture.
        facts: The shared facts by attribute.
    """

    subject_id: str
    cohort: Cohort
    name: str
    look: Look
    facts: dict[str, ClaimValue]


def league(seed: int, members: int, taxonomy: Taxonomy) -> list[Subject]:
    """The first `members` members and the holdouts that stand between them, in order."""
    count = members + members // (HOLDOUT_EVERY - 1)
    names, faces = person_names(seed, count), looks(seed, count)
    subjects = []
    for place in range(count):
        holdout = place % HOLDOUT_EVERY == HOLDOUT_EVERY - 1
        number = place // HOLDOUT_EVERY + 1 if holdout else place - place // HOLDOUT_EVERY + 1
        cohort: Cohort = "holdout" if holdout else "member"
        subject_id = f"{'holdout' if holdout else 'player'}-{number:03d}"
        facts = _facts(rng(seed, "facts", place), names[place], taxonomy)
        subjects.append(Subject(subject_id, cohort, names[place], faces[place], facts))
    return subjects


@functools.cache
def person_names(seed: int, count: int) -> tuple[str, ...]:
    """Names of the first `count` people; no part of a name occurs in another name or in the vocabulary."""
    source = rng(seed, "names")
    taken = [*words.COUNTRIES, *words.TOWNS, *words.CLUBS, *words.EVENTS, *words.MONTHS]
    taken = [word.casefold() for word in taken]
    names: list[str] = []
    for _ in range(count):
        parts = [_name_part(source, syllables, taken) for syllables in (words.FIRST_NAMES, words.LAST_NAMES)]
        names.append(" ".join(parts))
    return tuple(names)


def _name_part(source: random.Random, syllables: words.Syllables, taken: list[str]) -> str:
    """A new word, added to `taken`; after some failures one of three syllables, then of four, ..."""
    beginnings, middles, endings = syllables
    for attempt in range(10_000):
        extra = "".join(source.choice(middles) for _ in range(attempt // 20))
        part = source.choice(beginnings) + extra + source.choice(endings)
        folded = part.casefold()
        if not any(folded in word or word in folded for word in taken):
            taken.append(folded)
            return part
    raise AssertionError("no new name in 10,000 attempts")


def _facts(source: random.Random, name: str, taxonomy: Taxonomy) -> dict[str, ClaimValue]:
    born = datetime.date(source.randint(1989, 2006), source.randint(1, 12), source.randint(1, 28))
    age = _TODAY.year - born.year - ((_TODAY.month, _TODAY.day) < (born.month, born.day))
    positions = [spellings[0] for spellings in taxonomy["position"].options]
    feet = [spellings[0] for spellings in taxonomy["foot"].options]
    return {
        "name": ClaimValue(kind="name", text=name),
        "age": count_value(age),
        "position": ClaimValue(kind="choice", text=source.choice(positions)),
        "nationality": ClaimValue(kind="place", text=source.choice(words.COUNTRIES)),
        "birth_date": date_value(born),
        "height": height_value(source.randint(165, 199)),
        "foot": ClaimValue(kind="choice", text=source.choice(feet)),
        "birth_place": ClaimValue(kind="place", text=source.choice(words.TOWNS)),
    }


def count_value(number: int) -> ClaimValue:
    """A count, written in digits."""
    return ClaimValue(kind="count", text=str(number), number=float(number))


def date_value(day: datetime.date) -> ClaimValue:
    """A date, written as `July 4, 2019`."""
    text = f"{words.MONTHS[day.month - 1]} {day.day}, {day.year}"
    return ClaimValue(kind="date", text=text, date=day.isoformat())


def height_value(centimetres: int) -> ClaimValue:
    """A height, written as `1.84 meters`."""
    return ClaimValue(kind="length", text=f"{centimetres / 100:.2f} meters", number=centimetres / 100, unit="m")
