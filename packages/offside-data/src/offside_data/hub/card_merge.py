"""The card that goes to the Hub: ours, with what people wrote into the Hub's one.

A merge of three: ours, theirs, and what was published last. Whoever changed something alone gets it; where both did,
theirs stays and a note says so. What we generate (sections between markers, `configs`, the `offside:` block …) is ours;
a note says where somebody wrote into that. Text of theirs whose place can't be told any more stays, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offside_data.dataset.card import (
    BLOCK,
    card_text,
    generated_text,
    section_names,
    split_front_matter,
    split_sections,
    without_markers,
)
from offside_data.dataset.card_text import HOME
from offside_data.dataset.front_matter import REWRITTEN

_GENERATED = (BLOCK, HOME, *REWRITTEN)
_HALF = (
    "The card on the Hub lost a marker of a generated section (`<!-- offside:… -->`). What stood there stays where it "
    "differs from what was generated: look whether something is there twice."
)


def merge_cards(ours: str, theirs: str | None, base: str | None) -> tuple[str, list[str]]:
    """Merge cards.

    Args:
        ours: The card to be published.
        theirs: The card on the Hub now; null if there is none.
        base: The card as it was published last; null if that isn't known.

    Returns:
        The card; what of ours gave way to theirs, and what of theirs couldn't stay, as sentences.

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
    known = {*section_names(our_body), *section_names(base_body)}
    our_prose, sections = split_sections(our_body, known)
    base_prose, base_sections = split_sections(base_body, known)
    their_prose, their_sections = _their_text(their_body, base_sections, known, notes)
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


def _their_text(
    body: str, base: Mapping[str, str], known: set[str], notes: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """As `split_sections`; of a section that lost a marker, what was generated is taken out."""
    prose, sections = split_sections(body, known)
    lost = {name: generated_text(text) for name, text in base.items() if name not in sections}
    for place, text in prose.items():
        whole = without_markers(text, known)
        if whole != text and _HALF not in notes:
            notes.append(_HALF)
        for generated in lost.values():
            whole = whole.replace(generated, "") if generated else whole
        if whole != text:
            prose[place] = "\n\n".join(part for part in whole.split("\n\n") if part.strip()).strip()
    for name, text in sections.items():
        if name in base and generated_text(text) != generated_text(base[name]):
            notes.append(
                f"The card's section {name!r} is generated anew: what somebody changed inside it on the Hub isn't "
                "kept. Text that is to stay belongs outside the lines `<!-- offside:… -->`."
            )
    return prose, sections


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
