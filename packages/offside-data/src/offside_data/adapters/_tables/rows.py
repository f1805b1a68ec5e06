"""One row of a table as a claim: what it says of whom, about which picture, and what it leaves open."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from offside_data.adapters._pictures import confined
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
from offside_data.adapters._text import clean
from offside_data.schema import SUBJECTLESS_SPLITS, Source, Tier
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

DEFAULT_TIER: Tier = "social"
"""Of a source whose tier isn't said: the least trusted one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table.

    Args:
        file: Name of the table.
        index: Position in it, from 0.
        place: Where a person finds it, e.g. `row 5`.
        cells: By field.
        folders: Where the paths of its pictures may start.
        split: Name of a split that folder or file are called by.
    """

    file: str
    index: int
    place: str
    cells: Mapping[str, Any]
    folders: tuple[Path, ...]
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture that a row names (`path`) or embeds (`data`, `path` being its name if it has one)."""

    path: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a usable row says. Empty or null is what it leaves open; `note` is what a person should know about it."""

    row: Row
    id: str
    subject: str
    subject_id: str | None
    attribute: Attribute | None
    value: str
    veracity: str | None
    channel: str | None
    corrects: str
    question: str
    answer: str
    choices: tuple[str, ...]
    correct: int | None
    shown: Shown | None
    image_license: str
    derived_from: str
    occasion: str
    split: str | None
    sources: tuple[Source, ...]
    note: str | None

    @property
    def is_private(self) -> bool:
        """Whether it belongs to one picture; what isn't known to be shared does."""
        return self.subject_id is not None and (self.attribute is None or self.attribute.scope == "private")

    @property
    def said(self) -> tuple[str, str]:
        """Question and answer verbatim; of a claim without them, attribute and value."""
        texts = [text_of(self.row.cells.get(field), field) for field in ("question", "attribute", "answer", "value")]
        choice = self.choices[self.correct] if self.correct is not None else ""
        return texts[0] or texts[1], texts[2] or texts[3] or choice

    def content(self) -> tuple[Any, ...]:
        """What two rows about one picture have in common if one is the other's copy."""
        about = (self.subject_id, self.attribute and self.attribute.name, self.occasion, self.split)
        held = (self.veracity, self.channel, self.corrects)
        return (*about, *held, self.question, self.answer, self.value, self.choices, self.correct)


def read_claim(row: Row, taxonomy: Taxonomy, dates: DateOrder) -> Claim:
    """Read a row.

    Raises:
        ValueError: If it isn't usable; says why.
    """
    cells = row.cells
    split = word_of(cells.get("split"), "split", SPLIT_WORDS) or SPLIT_WORDS.get(row.split or "")
    text = {
        field: clean_text(cells.get(field), field)
        for field in ("id", "subject", "value", "corrects", "question", "answer", "image_license", "occasion")
    }
    choices, correct = options_of(cells.get("choices"), cells.get("correct_choice"))
    attribute = None
    subject_id = None
    if split not in SUBJECTLESS_SPLITS:
        attribute = _attribute(cells.get("attribute"), taxonomy)
        subject_id = _subject_id(cells.get("subject_id"), text["subject"])
    _check_complete(text, attribute, has_choices=bool(choices))
    sources, note = _sources(cells, dates)
    if attribute is not None:
        if attribute.kind == "date" and dates == "unknown" and could_be_two_dates(text["value"]):
            note = f"{text['value']} could be two dates: say --set dates=day-first or month-first"
        currency = clean_text(cells.get("currency"), "currency")
        text["value"] = in_words(text["value"], attribute, currency=currency, dates=dates)
    veracity = word_of(cells.get("veracity"), "veracity", VERACITY_WORDS)
    channel = word_of(cells.get("rumor_channel"), "rumor channel", CHANNEL_WORDS)
    if channel not in (None, "none") and veracity not in (None, "rumor"):
        raise ValueError(f"the rumor channel is {channel!r}, but only rumors have one, and this is a {veracity}")
    return Claim(
        # Without the picture, which would be held once a row.
        row=dataclasses.replace(row, cells={field: cell for field, cell in cells.items() if field != "image"}),
        subject_id=subject_id,
        attribute=attribute,
        veracity=veracity,
        channel=channel,
        choices=choices,
        correct=correct,
        shown=read_picture(cells.get("image")),
        derived_from=picture_key(clean_text(cells.get("derived_from"), "derived from")),
        split=split,
        sources=sources,
        note=note,
        **text,
    )


def _attribute(cell: Any, taxonomy: Taxonomy) -> Attribute | None:
    said = clean(text_of(cell, "attribute"))
    if not said:
        return None
    if said in taxonomy:
        return taxonomy[said]
    return taxonomy[cast(str, word_of(said, "attribute", {name: name for name in taxonomy.names()}))]


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


def read_picture(cell: Any) -> Shown | None:
    """The picture that a cell names or embeds; null if it is empty.

    Raises:
        ValueError: If it holds several pictures, or anything else.
    """
    if isinstance(cell, list):
        if len(cell) > 1:
            raise ValueError(f"has {len(cell)} pictures; one is needed")
        return read_picture(cell[0]) if cell else None
    if isinstance(cell, bytes):
        return Shown(data=cell) if cell else None
    if isinstance(cell, Mapping):
        data, path = cell.get("bytes"), _path_of(cell.get("path"))
        if data is not None and not isinstance(data, bytes):
            raise ValueError(f"the picture's bytes must be bytes, they are a {type(data).__name__}")
        return Shown(path=path, data=data or None) if data or path else None
    path = _path_of(cell)
    return Shown(path=path) if path else None


def _path_of(cell: Any) -> str:
    path = text_of(cell, "the picture").strip()
    if "\0" in path or any(len(part.encode()) > 255 for part in path.split("/")):
        raise ValueError("the picture's path is none: it is too long or holds a null character")
    return path


def picture_key(path: str) -> str:
    """A picture's path in one spelling, for ever: with slashes, without `./`."""
    return posixpath.normpath(path.replace("\\", "/")) if path else ""


def places_of(path: str, folders: tuple[Path, ...], *, by_name: bool) -> tuple[Path, ...]:
    """Where a picture may lie: as written, and, `by_name`, by its file name alone; never outside these folders."""
    written = PurePosixPath(picture_key(path))
    exact = [] if written.is_absolute() or "://" in path else [folder / written for folder in folders]
    named = [folder / written.name for folder in folders] if by_name else []
    return confined([*exact, *named], folders)


# ---------------------------------------------------------------------------------------------
# Sources


def _sources(cells: Mapping[str, Any], dates: DateOrder) -> tuple[tuple[Source, ...], str | None]:
    """The source that a row names: a link, or a publisher, with what is said of it; a note if the date isn't read."""
    said = clean_text(cells.get("source"), "source")
    is_link = bool(re.match(r"(?:https?://|www\.)\S+$", said, re.I))
    url = clean_text(cells.get("url"), "url") or (said if is_link else "")
    publisher = clean_text(cells.get("publisher"), "publisher") or ("" if is_link else said)
    tier = word_of(cells.get("tier"), "tier", TIER_WORDS)
    seen = clean_text(cells.get("retrieved_on"), "retrieved on")
    license = clean_text(cells.get("license"), "license")
    day = read_date(seen, dates)
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
