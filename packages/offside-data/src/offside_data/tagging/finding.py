"""All values of a kind in free text, each with the place where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from offside_data.schema import ClaimValue, ValueKind
from offside_data.tagging.amounts import FREE, find_amounts
from offside_data.tagging.comparing import Options
from offside_data.tagging.dates import find_dates
from offside_data.tagging.numbers import find_counts, find_lengths
from offside_data.tagging.places import country_terms
from offside_data.tagging.stretches import Taken, near
from offside_data.tagging.words import Span, find_names, find_places, folded_words, tokenize

_KNOWN_TEXTS = 2**14


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A value and where it stands.

    Args:
        value: The value.
        start: Where it starts.
        end: Where it ends.
        doubt: Why it isn't certain what it is, as a sentence for people; null if it is.
    """

    value: ClaimValue
    start: int
    end: int
    doubt: str | None = None


@lru_cache(maxsize=_KNOWN_TEXTS)
def find(text: str, kind: ValueKind, options: Options) -> tuple[FoundValue, ...]:
    """All values of a kind that are readable in a text, in order.

    Args:
        text: Any text.
        kind: The kind of the values.
        options: The spellings of a choice's options; without them, a choice is read as a name is.
    """
    match kind:
        case "date":
            return tuple(
                FoundValue(ClaimValue(kind="date", text=d.text, date=d.date.isoformat()), d.start, d.end)
                for d in find_dates(text)
            )
        case "amount":
            return tuple(
                FoundValue(
                    ClaimValue(
                        kind="amount",
                        text=a.text,
                        number=a.number,
                        currency=a.currency,
                        unit=None if a.term == FREE else a.term,
                    ),
                    *(a.start, a.end, a.doubt),
                )
                for a in find_amounts(text)
            )
        case "length":
            return tuple(
                FoundValue(ClaimValue(kind="length", text=n.text, number=n.value, unit="m"), n.start, n.end)
                for n in find_lengths(text)
            )
        case "count":
            return _counts(text)
        case "choice" if options:
            return _worded("choice", _options_in(text, options))
        case "place":
            return _worded("place", _places_in(text))
        case "text":
            whole = " ".join(text.split()).rstrip(".")
            return _worded("text", [Span(whole, 0, len(text))] if folded_words(whole) else [])
        case _:
            return _worded(kind, find_names(text))


def _worded(kind: ValueKind, spans: list[Span]) -> tuple[FoundValue, ...]:
    return tuple(FoundValue(ClaimValue(kind=kind, text=s.text), s.start, s.end) for s in spans)


_COUNT_OF_THOUSANDS = re.compile(r"[^\W\d][^\d]*\bthousand$", re.I)
_LARGE_COUNT = re.compile(r"[\d.,' ]+(?:k|[\s-](?:thousand|million|billion))$", re.I)
"""Counts as amounts of money are written: `12k`, `1.2 million`; "1.2m" would be a length."""


def _counts(text: str) -> tuple[FoundValue, ...]:
    amounts = [a for a in find_amounts(text) if a.term is None and not _COUNT_OF_THOUSANDS.match(a.text)]
    large = [a for a in amounts if a.currency is None and a.doubt is None and _LARGE_COUNT.match(a.text)]
    spans = [(d.start, d.end) for d in find_dates(text)]
    spans += [(a.start, a.end) for a in amounts]
    spans += [(n.start, n.end) for n in find_lengths(text)]
    found = [(n.text, n.value, n.start, n.end) for n in find_counts(text, spans)]
    found += [(a.text, a.number, a.start, a.end) for a in large if a.number is not None and a.number.is_integer()]
    return tuple(
        FoundValue(ClaimValue(kind="count", text=said, number=number), start, end)
        for said, number, start, end in sorted(found, key=lambda f: f[2])
    )


def _places_in(text: str) -> list[Span]:
    """Places by their capitals, and countries however they are written (`he is english`)."""
    places = find_places(text)
    tokens = tokenize(text)
    taken = Taken(text, ((p.start, p.end) for p in places))
    for first, last, _ in country_terms([t.folded for t in tokens]):
        start, end = tokens[first].start, tokens[last - 1].end
        # Short lower-case words such as "us" or "pole" are rarely countries.
        if end - start > 4 and not taken.meet((start, end)):
            taken.take((start, end))
            places.append(Span(text[start:end], start, end))
    return sorted(places, key=lambda p: p.start)


# "on the left", "the right side", "left the club": a direction or a verb, no preference.
_NO_CHOICE_BEFORE = re.compile(r"\bon\s+(?:the|his|her|their)\s+$", re.I)
_WHO_LEFT = re.compile(r"\b(?:he|she|they|who|player)\s+$", re.I)
_FOOT_AFTER = re.compile(r"\s+(?:foot|one|leg)\b", re.I)
_NOTHING_AFTER = re.compile(r"[ .!]*")
_NO_CHOICE_AFTER = re.compile(r"\s+(?:side|hand|now|away|here|there|after|before|for|to|the|his|her|their)\b", re.I)


def _options_in(text: str, options: Options) -> list[Span]:
    """The options that stand in a text; a longer spelling hides a shorter one inside it."""
    tokens = tokenize(text)
    words = [t.folded for t in tokens]
    spellings = sorted({folded_words(s) for option in options for s in option}, key=len, reverse=True)
    taken = [False] * len(words)
    found: list[Span] = []
    for spelling in spellings:
        n = len(spelling)
        for i in range(len(words) - n + 1):
            if n and tuple(words[i : i + n]) == spelling and not any(taken[i : i + n]):
                taken[i : i + n] = [True] * n
                start, end = tokens[i].start, tokens[i + n - 1].end
                if not (spelling in (("left",), ("right",)) and _only_a_direction(text, start, end)):
                    found.append(Span(text[start:end], start, end))
    return sorted(found, key=lambda s: s.start)


def _only_a_direction(text: str, start: int, end: int) -> bool:
    if _FOOT_AFTER.match(text, end):
        return False
    if _NOTHING_AFTER.fullmatch(text, end) and _WHO_LEFT.search(text, near(start), start):
        return True
    return bool(_NO_CHOICE_BEFORE.search(text, near(start), start) or _NO_CHOICE_AFTER.match(text, end))
