"""What each change asks of a version: the largest rule that applies wins.

A user of `^1.2` must be able to take every 1.x: nothing that a record claims, nor what it is for, may change under
them. MINOR adds and takes away (takedowns too, so that such users get them), PATCH changes the form only.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from offside_data.dataset.versions import Version
from offside_data.errors import ReleaseError, UsageError, listed
from offside_data.release.diff import Change, FieldChange

SHOWN = 30
"""How many changes a refusal lists."""

_ABOUT = ("subject_id", "image_id", "modality", "attribute")
CLAIM = frozenset({"split", "scope", "veracity", "value", "answer", "corrects", "rumor_channel", *_ABOUT})
"""Fields of a record that say what it claims, of whom, and what it is for; another form of a value is none."""
MEASURE = frozenset({"scope", "kind", "tolerance"})
"""Fields of an attribute that decide what its values are and when two are equal."""


class Level(enum.IntEnum):
    """A part of a version number, the larger the more it says."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Level:
        """The level of that name.

        Raises:
            UsageError: If there is none.
        """
        if text.upper() not in cls.__members__:
            raise UsageError(f"a bump is {', '.join(map(str, reversed(cls)))}, got {text!r}.")
        return cls[text.upper()]


def level_of(change: Change) -> Level:
    """The smallest bump that a change allows."""
    if change.kind == "attribute" and change.action == "removed":
        return Level.MAJOR
    if change.action in ("added", "removed"):
        return Level.MINOR
    return max((field_level(change, field) for field in change.fields), default=Level.PATCH)


def field_level(change: Change, field: FieldChange) -> Level:
    """The smallest bump that one field of a change allows."""
    match change.kind, field.field:
        case "schema", _:
            return Level.MAJOR
        case "record", name if name in CLAIM and not field.alike:
            return Level.MAJOR
        case "attribute", name if name in MEASURE:
            return Level.MAJOR
        case "attribute", "options":
            return Level.MAJOR if _spellings(field.before) - _spellings(field.after) else Level.MINOR
        case "record" | "image", "image" if not field.alike:
            return Level.MINOR
    return Level.PATCH


def _spellings(options: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    """Each spelling with the option that it stands for."""
    return {(option[0], spelling) for option in options for spelling in option}


def required(changes: Iterable[Change]) -> Level | None:
    """The smallest bump that all changes together allow; null if there is none."""
    return max(map(level_of, changes), default=None)


def bumped(version: Version, level: Level) -> Version:
    """The version that a bump of `version` gives."""
    raised: Version = getattr(version.truncate(), f"next_{level}")()
    return raised


def require_bump(changes: Iterable[Change], bump: Level, parent: Version) -> None:
    """Refuse a bump that is too small; a larger one than needed is allowed.

    Raises:
        ReleaseError: Listing the changes that need more.
    """
    levels: Counter[Level] = Counter()
    reasons: list[str] = []
    for change in changes:
        levels[level_of(change)] += 1
        if level_of(change) > bump and len(reasons) < SHOWN:
            reasons.append(_reason(change, bump))
    heavier = sum(number for level, number in levels.items() if level > bump)
    if heavier:
        need = max(levels)
        shown = listed(reasons, of=heavier, shown=SHOWN, more="; `offside-data diff` lists all")
        raise ReleaseError(
            f"a {bump} release of {parent} is too small: {heavier} of {levels.total()} changes need more:\n"
            f"{shown}\nRelease {bumped(parent, need)} with --bump {need}, or take these changes back."
        )


def _reason(change: Change, bump: Level) -> str:
    fields = [field for field in change.fields if field_level(change, field) > bump]
    if fields:
        told = "; ".join(f"{field.field} {described(field.before)} -> {described(field.after)}" for field in fields)
        return f"{level_of(change)}: {change.kind} {change.name}: {told}"
    if change.kind == "takedown":
        return f"{level_of(change)}: {change.name}"
    return f"{level_of(change)}: {change.kind} {change.name} {change.action}"


def described(value: Any) -> str:
    """A field for people: a value by its text, a picture by its hash, long texts cut."""
    if isinstance(value, dict):
        value = value.get("text") or value.get("sha256") or value
    text = str(value) if value is None or isinstance(value, (int, float)) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
