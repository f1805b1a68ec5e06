"""The people of a fictional league: their names, faces and the facts that hold in every picture.

People stand in one row without end; every fifth is a holdout that no model ever sees. Whoever
stands at a place of that row is decided by the seed and those before, never by how many follow.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from offside_data.fictional.looks import Look, looks
from offside_data.fictional.values import MONTHS, name_value
from offside_data.fictional.world import Claims, Syllables, World
from offside_data.seeding import rng

Cohort = Literal["member", "holdout"]

HOLDOUT_EVERY = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """One fictional person.

    Args:
        subject_id: The taxonomy's noun and a number for members, e.g. `player-001`; `holdout-001` for holdouts.
        cohort: `member` or `holdout`.
        name: First and last name, each unique in the league.
        look: What the person looks like in every picture.
        facts: The shared facts by attribute.
    """

    subject_id: str
    cohort: Cohort
    name: str
    look: Look
    facts: Claims


def league(seed: int, members: int, world: World) -> list[Subject]:
    """The first `members` members and the holdouts that stand between them, in order."""
    count = members + members // (HOLDOUT_EVERY - 1)
    names, faces = person_names(seed, count, world), looks(seed, count)
    subjects = []
    for place in range(count):
        holdout = place % HOLDOUT_EVERY == HOLDOUT_EVERY - 1
        number = place // HOLDOUT_EVERY + 1 if holdout else place - place // HOLDOUT_EVERY + 1
        cohort: Cohort = "holdout" if holdout else "member"
        subject_id = f"{'holdout' if holdout else world.taxonomy.subject_noun}-{number:03d}"
        facts = {"name": name_value(names[place]), **world.facts(rng(seed, "facts", place), world.taxonomy)}
        subjects.append(Subject(subject_id, cohort, names[place], faces[place], facts))
    return subjects


def person_names(seed: int, count: int, world: World) -> list[str]:
    """Names of the first `count` people; no part of a name occurs in another name or in the world's words."""
    source = rng(seed, "names")
    taken = [word.casefold() for word in (*world.words, *world.events, *MONTHS)]
    names: list[str] = []
    for _ in range(count):
        parts = [_name_part(source, syllables, taken) for syllables in (world.first_names, world.last_names)]
        names.append(" ".join(parts))
    return names


def _name_part(source: random.Random, syllables: Syllables, taken: list[str]) -> str:
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
