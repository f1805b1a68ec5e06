"""One row of a table as a claim: what it says of whom, about which picture, and what it leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from offside_data.adapters._pictures import Pixels, is_path, picture_key
from offside_data.adapters._tables.cells import (
    CHANNEL_WORDS,
    SPLIT_WORDS,
    TIER_WORDS,
    VERACITY_WORDS,
    DateOrder,
    clean_text,
    could_be_two_dates,
    in_words,
    options_of,
    read_date,
    text_of,
    word_of,
)
from offside_data.adapters._tables.columns import attribute_word
from offside_data.adapters._text import clean
from offside_data.schema import SUBJECTLESS_SPLITS, Source, Tier
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

_TEXTS = ("id", "subject", "value", "corrects", "question", "answer", "image_license", "occasion")
_LINK = re.compile(r"(?:https?://|www\.)\S+$", re.I)
DEFAULT_TIER: Tier = "social"
"""Of a source whose tier isn't said: the least trusted one."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the rows of one table have in common.

    Args:
        number: Its number among the tables of a source.
        file: Its name.
        folders: Where the paths of its pictures may start.
        split: Name of a split that folder or file are called by.
    """

    number: int
    file: str
    folders: tuple[Path, ...]
    split: str | None


@dataclass(slots=True)
class TableRow:
    """A row of a table.

    Args:
        sheet: The table.
        index: Position in it, from 0.
        place: Where a person finds it, e.g. `row 5`.
        cells: By field.
    """

    sheet: Sheet
    index: int
    place: str
    cells: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class TableClaim:
    """What a usable row says. Empty or null is what it leaves open.

    Args:
        sheet: Number of its table.
        index: The row's position there.
        place: Where a person finds the row.
        attribute: Its name.
        channel: Where a rumour stands.
        correct: Place of the right one of `choices`.
        pixels: The picture; none once the claim was put away.
        says_attribute: Whether the row does, be it in vain.
        says_split: The same.
        says_tier: The same.
        asked: Its question verbatim; of a claim without one, its attribute.
        told: Its answer verbatim; of a claim without one, its value.
        note: What a person should know about it; none once the claim was put away.
        key: The picture's source key.
        path: The picture's path, if it isn't embedded.
        shows: Whether the row has a picture.
    """

    sheet: int
    index: int
    place: str
    id: str
    subject: str
    subject_id: str | None
    attribute: str | None
    value: str
    veracity: str | None
    channel: str | None
    corrects: str
    question: str
    answer: str
    choices: tuple[str, ...]
    correct: int | None
    image_license: str
    derived_from: str
    occasion: str
    split: str | None
    sources: tuple[Source, ...]
    asked: str
    told: str
    says_attribute: bool
    says_split: bool
    says_tier: bool
    pixels: Pixels | None = None
    note: str | None = None
    key: str | None = None
    path: str = ""
    shows: bool = False

    def content(self) -> tuple[Any, ...]:
        """What two rows about one picture have in common if one is the other's copy."""
        about = (self.key, self.subject_id, self.attribute, self.occasion, self.split)
        held = (self.veracity, self.channel, self.corrects)
        return (*about, *held, self.question, self.answer, self.value, self.choices, self.correct)


def read_claim(row: TableRow, attributes: Mapping[str, Attribute], dates: DateOrder) -> TableClaim:
    """Read a row.

    Args:
        row: The row.
        attributes: Those that a claim may have, by name.
        dates: How dates such as `03/04/2021` are meant.

    Raises:
        ValueError: If it isn't usable; says why.
    """
    cell = row.cells.get
    split = word_of(cell("split"), "split", SPLIT_WORDS) or SPLIT_WORDS.get(row.sheet.split or "")
    text = {field: clean_text(cell(field), field) for field in _TEXTS}
    choices, correct = options_of(cell("choices"), cell("correct_choice"))
    attribute = None
    subject_id = None
    if split not in SUBJECTLESS_SPLITS:
        attribute = _attribute(cell("attribute"), attributes)
        subject_id = _subject_id(cell("subject_id"), text["subject"])
    _check_complete(text, attribute, has_choices=bool(choices))
    sources, note = _sources(row.cells, dates)
    if attribute is not None and text["value"]:
        if attribute.kind == "date" and dates == "unknown" and could_be_two_dates(text["value"]):
            note = f"{text['value']} could be two dates: say --set dates=day-first or month-first"
        currency = clean_text(cell("currency"), "currency")
        text["value"] = in_words(text["value"], attribute, currency=currency, dates=dates)
    veracity = word_of(cell("veracity"), "veracity", VERACITY_WORDS)
    channel = word_of(cell("rumor_channel"), "rumor channel", CHANNEL_WORDS)
    if channel not in (None, "none") and veracity not in (None, "rumor"):
        raise ValueError(f"the rumor channel is {channel!r}, but only rumors have one, and this is a {veracity}")
    asked = text_of(cell("question"), "question") or text_of(cell("attribute"), "attribute")
    told = text_of(cell("answer"), "answer") or text_of(cell("value"), "value")
    return TableClaim(
        sheet=row.sheet.number,
        index=row.index,
        place=row.place,
        id=text["id"],
        subject=text["subject"],
        subject_id=subject_id,
        attribute=attribute.name if attribute else None,
        value=text["value"],
        veracity=veracity,
        channel=channel,
        corrects=text["corrects"],
        question=text["question"],
        answer=text["answer"],
        choices=choices,
        correct=correct,
        pixels=read_picture(cell("image")),
        image_license=text["image_license"],
        occasion=text["occasion"],
        derived_from=picture_key(clean_text(cell("derived_from"), "derived from")),
        split=split,
        sources=sources,
        asked=asked,
        told=told or ("" if correct is None else choices[correct]),
        says_attribute=bool(cell("attribute")),
        says_split=bool(cell("split")),
        says_tier=bool(cell("tier")),
        note=note,
    )


def _attribute(cell: Any, attributes: Mapping[str, Attribute]) -> Attribute | None:
    if isinstance(cell, str) and cell in attributes:
        return attributes[cell]
    said = attribute_word(cell, list(attributes))
    return attributes[said] if said else None


def _subject_id(cell: Any, name: str) -> str:
    given = clean(text_of(cell, "subject id"))
    made = given or "-".join(folded_words(name))
    if not made:
        raise ValueError("has no subject; only questions of the splits general and utility have none")
    return made


def _check_complete(text: Mapping[str, str], attribute: Attribute | None, *, has_choices: bool) -> None:
    if not (text["answer"] or text["value"] or has_choices):
        raise ValueError("has neither value nor answer (or the cell holds an error)")
    if attribute is None and not text["question"]:
        raise ValueError("has neither attribute nor question")
    if attribute is None and not (text["answer"] or has_choices):
        raise ValueError("has a value, but neither attribute nor answer")


# ---------------------------------------------------------------------------------------------
# Pictures


def read_picture(cell: Any) -> Pixels | None:
    """The picture that a cell names or embeds; null if it is empty.

    Raises:
        ValueError: If it holds several pictures, or anything else.
    """
    if isinstance(cell, list):
        if len(cell) > 1:
            raise ValueError(f"has {len(cell)} pictures; one is needed")
        return read_picture(cell[0]) if cell else None
    if isinstance(cell, bytes):
        return Pixels(data=cell) if cell else None
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (None, cell)
    if data is not None and not isinstance(data, bytes):
        raise ValueError(f"the picture's bytes must be bytes, they are a {type(data).__name__}")
    path = text_of(path, "the picture").strip()
    if not is_path(path):
        raise ValueError("the picture's path is none: it is too long or holds a null character")
    return Pixels(data=data or None, path=path) if data or path else None


# ---------------------------------------------------------------------------------------------
# Sources


def _sources(cells: Mapping[str, Any], dates: DateOrder) -> tuple[tuple[Source, ...], str | None]:
    """The source that a row names: a link, or a publisher, with what is said of it; a note if the date isn't read."""
    said = clean_text(cells.get("source"), "source")
    is_link = bool(said and _LINK.match(said))
    url = clean_text(cells.get("url"), "url") or (said if is_link else "")
    publisher = clean_text(cells.get("publisher"), "publisher") or ("" if is_link else said)
    tier = word_of(cells.get("tier"), "tier", TIER_WORDS)
    seen = clean_text(cells.get("retrieved_on"), "retrieved on")
    license = clean_text(cells.get("license"), "license")
    day = read_date(seen, dates) if seen else None
    note = None
    if seen and day is None:
        note = f"the source's date {seen!r} is left out: write YYYY-MM-DD, or say --set dates=day-first"
    if not (url or publisher or tier or license):
        return (), note or (f"the source's date {seen} is left out: there is no source" if seen else None)
    source = Source(
        url=url or None,
        publisher=publisher or None,
        tier=cast(Tier, tier or DEFAULT_TIER),
        retrieved_on=day.isoformat() if day else None,
        license=license or None,
    )
    return (source,), note
