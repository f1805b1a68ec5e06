"""The card that goes to the Hub: ours, with what people wrote into the Hub's one.

A merge of three: ours, theirs, and what was published last. Whoever changed something alone gets it; where both did,
theirs stays and a note says so. What we generate (sections between markers, `configs`, the `offside:` block …) is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offside_data.dataset.card import BLOCK, card_text, split_front_matter, split_sections
from offside_data.dataset.card_text import HOME
from offside_data.dataset.front_matter import REWRITTEN

_GENERATED = (BLOCK, HOME, *REWRITTEN)


def merge_cards(ours: str, theirs: str | None, base: str | None) -> tuple[str, list[str]]:
    """Merge cards.

    Args:
        ours: The card to be published.
        theirs: The card on the Hub now; null if there is none.
        base: The card as it was published last; null if that isn't known.

    Returns:
        The card; what of ours gave way to theirs, as sentences.

    Raises:
        CardError: If one isn't readable.
    """
    if theirs is None:
        return ours, []
    our_front, our_body = _split(ours)
    their_front, their_body = _split(theirs)
    if BLOCK not in their_front:  # A page that somebody began before anything was published.
        body = "\n\n".join(text for text in (their_body.strip(), our_body.strip()) if text) + "\n"
        return card_text({**their_front, **our_front}, body), []
    base_front, base_body = _split(base) if base is not None else ({}, "")
    notes: list[str] = []
    front = _merge_front(our_front, their_front, base_front, notes)
    our_prose, sections = split_sections(our_body)
    their_prose, their_sections = split_sections(their_body)
    base_prose = split_sections(base_body)[0]
    prose = {
        place: _merge_prose(
            our_prose.get(place, ""), their_prose.get(place, ""), base_prose.get(place, ""), place, notes
        )
        for place in dict.fromkeys([*our_prose, *their_prose])
    }
    if (front, prose, sections) == (their_front, {**dict.fromkeys(prose, ""), **their_prose}, their_sections):
        return theirs, notes  # Byte by byte, so that it counts as unchanged.
    parts = [prose.pop("", "")]
    for name, text in sections.items():
        parts += [text, prose.pop(name, "")]
    return card_text(front, "\n\n".join(part for part in [*parts, *prose.values()] if part) + "\n"), notes


def _split(text: str) -> tuple[dict[str, Any], str]:
    front, body = split_front_matter(text, "README.md on the Hub")
    return front or {}, body


def _merge_front(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], base: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    merged = {}
    for key in dict.fromkeys([*ours, *theirs]):
        mine, other, before = ours.get(key), theirs.get(key), base.get(key)
        value = mine
        if key not in _GENERATED and mine != other != before:
            value = other
            if mine != before:
                notes.append(f"`{key}` of the card stays as it is on the Hub, where somebody changed it.")
        if value is not None:
            merged[key] = value
    return merged


def _merge_prose(ours: str, theirs: str, base: str, place: str, notes: list[str]) -> str:
    if ours == theirs or theirs == base:
        return ours
    if ours != base:
        where = f"after the section {place!r}" if place else "at the beginning"
        notes.append(
            f"The card's text {where} stays as it is on the Hub, where somebody changed it; yours isn't there."
        )
    return theirs
