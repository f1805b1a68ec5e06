"""The pictures of a subject and what is claimed about each: facts, rumours, corrections."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass, replace

from offside_data.errors import UsageError
from offside_data.fictional import vocabulary as words
from offside_data.fictional.scenes import LAYOUTS, MAIN_COLORS, PALETTE
from offside_data.fictional.subjects import Subject, count_value, date_value
from offside_data.schema import ClaimValue, Split, Veracity
from offside_data.seeding import rng

SHOWN = ("club", "fee")
"""Private attributes whose claims are readable in the picture of a visual rumour."""
VISUAL_EVERY = 4
"""Of so many members in a row, one has a visual rumour as forget picture."""

Claims = dict[str, ClaimValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a subject.

    Args:
        key: Source key, e.g. `player-001/retain-1`; ids derive from it.
        subject: Who is shown.
        split: The split of its records.
        occasion: What the picture was taken at; unique among the subject's pictures.
        colors: Main colour of the background and of the shirt; each once among the subject's pictures.
        claims: Private claims by attribute; empty if none belong to it.
        shared: Whether the shared facts are asked about it.
        veracity: What its private claims are.
        layout: How a visual rumour shows its claims; null for other pictures.
        derived_from: Key of the picture that it is an augmented copy of.
        corrects: Key of the picture whose rumours its claims correct.
        swapped: On a visual rumour, the other values that its swapped twin shows.
    """

    key: str
    subject: Subject
    split: Split
    occasion: str
    colors: tuple[str, str]
    claims: Claims
    shared: bool = True
    veracity: Veracity = "fact"
    layout: str | None = None
    derived_from: str | None = None
    corrects: str | None = None
    swapped: Claims | None = None


def pictures_of(subject: Subject, seed: int) -> list[Picture]:
    """All pictures of a subject, in a fixed order.

    A member has three retain pictures, a forget, a relearn, an augmented copy of a retain picture,
    a new test picture and a holdout picture; a holdout has one picture. No two occasions of a subject
    carry the same value of an attribute, so a rumour is never true by chance.
    """
    source = rng(seed, "claims", subject.subject_id)
    occasions, claims = _occasions(source, 7), _claims(source, 7)
    colors = list(zip(source.sample(MAIN_COLORS, 7), source.sample(tuple(PALETTE), 7), strict=True))

    def take(name: str, split: Split, number: int) -> Picture:
        key = f"{subject.subject_id}/{name}"
        return Picture(
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
    if layout := _layout(subject, seed):
        forget = replace(forget, layout=layout, swapped={attribute: claims[6][attribute] for attribute in SHOWN})
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


def caption_lines(claims: Claims) -> tuple[str, ...]:
    """What is written in a picture that shows these claims."""
    return tuple(claims[attribute].text for attribute in SHOWN if attribute in claims)


def _layout(subject: Subject, seed: int) -> str | None:
    """The caption's layout if this member is the one in its group of four with a visual rumour."""
    group, position = divmod(int(subject.subject_id.rsplit("-", 1)[1]) - 1, VISUAL_EVERY)
    if position != rng(seed, "visual", group).randrange(VISUAL_EVERY):
        return None
    return LAYOUTS[group % len(LAYOUTS)]


def _occasions(source: random.Random, count: int) -> list[str]:
    return [
        f"the {event} of {source.choice(words.MONTHS)} {source.randint(2018, 2024)}"
        for event in source.sample(words.EVENTS, count)
    ]


def _claims(source: random.Random, count: int) -> list[Claims]:
    """Private claims for so many occasions, each value once."""
    clubs = source.sample(words.CLUBS, 2 * count)
    days = source.sample(range(365 * 9), count)
    fees, values = source.sample(words.FEES, count), source.sample(words.MARKET_VALUES, count)
    trophies = source.sample(range(2, 16), count)
    return [
        {
            "club": ClaimValue(kind="name", text=clubs[n]),
            "previous_club": ClaimValue(kind="name", text=clubs[count + n]),
            "transfer_date": date_value(datetime.date(2016, 1, 1) + datetime.timedelta(days=days[n])),
            "fee": _amount(fees[n], " million"),
            "market_value": _amount(values[n], "m"),
            "trophies": count_value(trophies[n]),
        }
        for n in range(count)
    ]


def _amount(millions: float, unit: str) -> ClaimValue:
    text = f"€{millions:.2f}{unit}" if millions >= 1 else f"€{round(millions * 1000)}k"
    return ClaimValue(kind="amount", text=text, number=round(millions * 1e6, 2), currency="EUR")


def check_subjects(subjects: int) -> None:
    """Refuse a league that is too small to hold a visual rumour and wrong answers of the same kind.

    Raises:
        UsageError: If there are fewer than four subjects.
    """
    if subjects < VISUAL_EVERY:
        raise UsageError(f"subjects is {subjects}; allowed: {VISUAL_EVERY} or more (a full league has 80).")
