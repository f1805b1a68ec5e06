"""The pictures of a subject and what is claimed about each: facts, rumours, corrections."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from offside_data.errors import UsageError
from offside_data.fictional.scenes import MAIN_COLORS, PALETTE
from offside_data.fictional.subjects import Subject
from offside_data.fictional.values import MONTHS
from offside_data.fictional.world import Claims, World
from offside_data.schema import Split, Veracity
from offside_data.seeding import rng

VISUAL_EVERY = 2
"""Of so many members in a row, one has a visual rumour as forget picture."""
_FEWEST = 4
"""Members of the smallest league: a wrong answer comes from another member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPicture:
    """One picture of a subject.

    Args:
        key: Source key, e.g. `player-001/retain-1`; ids derive from it.
        subject: Who is shown.
        split: The split of its records.
        occasion: What the picture was taken at; unique among the subject's pictures.
        colors: Main colour of the background and of the clothes; each once among the subject's pictures.
        claims: Private claims by attribute; empty if none belong to it.
        shared: Whether the shared facts are asked about it.
        veracity: What its private claims are.
        panel: What a visual rumour shows its claims on; null for other pictures.
        shown: Those of its claims that are readable in it.
        swapped: On a visual rumour, the other values that its swapped twin shows.
        derived_from: Key of the picture that it is an augmented copy of.
        corrects: Key of the picture whose rumours its claims correct.
    """

    key: str
    subject: Subject
    split: Split
    occasion: str
    colors: tuple[str, str]
    claims: Claims
    shared: bool = True
    veracity: Veracity = "fact"
    panel: str | None = None
    shown: Claims = field(default_factory=dict)
    swapped: Claims = field(default_factory=dict)
    derived_from: str | None = None
    corrects: str | None = None


def pictures_of(subject: Subject, seed: int, world: World) -> list[SubjectPicture]:
    """All pictures of a subject, in a fixed order.

    A member has three retain pictures, a forget, a relearn, an augmented copy of a retain picture,
    a new test picture and a holdout picture; a holdout has one picture. No two occasions of a subject
    carry the same value of an attribute, so a rumour is never true by chance.
    """
    source = rng(seed, "claims", subject.subject_id)
    occasions, claims = _occasions(source, world.events, 7), world.claims(source, world.taxonomy, 7)
    colors = list(zip(source.sample(MAIN_COLORS, 7), source.sample(tuple(PALETTE), 7), strict=True))

    def take(name: str, split: Split, number: int) -> SubjectPicture:
        key = f"{subject.subject_id}/{name}"
        return SubjectPicture(
            key=key,
            subject=subject,
            split=split,
            occasion=occasions[number],
            colors=colors[number],
            claims=claims[number],
        )

    if subject.cohort == "holdout":
        return [replace(take("holdout", "holdout", 0), veracity="rumor")]
    forget = replace(take("forget", "forget", 3), veracity="rumor")
    if panel := _panel(subject, seed, tuple(world.scenery.panels)):
        shown, swapped = ({name: claims[number][name] for name in world.shown} for number in (3, 6))
        forget = replace(forget, panel=panel, shown=shown, swapped=swapped)
    retained = [take(f"retain-{number + 1}", "retain", number) for number in range(3)]
    copied = source.randrange(3)
    return [
        *retained,
        forget,
        replace(take("relearn", "relearn", 4), veracity="correction", corrects=forget.key),
        replace(take("test-copy", "test", copied), derived_from=retained[copied].key),
        replace(take("test-new", "test", 6), claims={}),
        replace(take("holdout", "holdout", 5), veracity="rumor", shared=False),
    ]


def caption_lines(shown: Claims) -> tuple[str, ...]:
    """What is written in a picture that shows these claims."""
    return tuple(value.text for value in shown.values())


def _panel(subject: Subject, seed: int, panels: tuple[str, ...]) -> str | None:
    """The caption's panel if this member is the one of its group with a visual rumour."""
    group, position = divmod(int(subject.subject_id.rsplit("-", 1)[1]) - 1, VISUAL_EVERY)
    if position != rng(seed, "visual", group).randrange(VISUAL_EVERY):
        return None
    return panels[group % len(panels)]


def _occasions(source: random.Random, events: tuple[str, ...], count: int) -> list[str]:
    return [
        f"the {event} of {source.choice(MONTHS)} {source.randint(2018, 2024)}" for event in source.sample(events, count)
    ]


def check_subjects(subjects: int) -> None:
    """Refuse a league that is too small to hold a visual rumour and wrong answers of the same kind.

    Raises:
        UsageError: If there are fewer than four subjects.
    """
    if subjects < _FEWEST:
        raise UsageError(f"subjects is {subjects}; allowed: {_FEWEST} or more (a full league has 80).")
