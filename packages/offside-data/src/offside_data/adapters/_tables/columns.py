"""Which column of a table is which of our fields: by name, leniently, or as the user says.

`NAMES` is the whole vocabulary. Case, blanks, hyphens and underscores don't count.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from offside_data.adapters._tables.cells import DateOrder, text_of, word_of
from offside_data.adapters._tables.tables import Line, Table, TableReading
from offside_data.adapters._text import clean
from offside_data.adapters._values import folded_key
from offside_data.errors import UsageError, listed
from offside_data.plugins import did_you_mean, unknown_name_message
from offside_data.tagging.words import folded_words

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "claim id", "row id", "question id", "key"),
    "subject": ("subject", "subject name", "person", "player", "entity", "who", "name"),
    "subject_id": ("subject id", "person id", "player id", "entity id"),
    "attribute": ("attribute", "property", "claim type", "type of claim", "field"),
    "value": ("value", "claimed value", "claim value", "claim"),
    "currency": ("currency", "currency of value"),
    "veracity": ("veracity", "verdict", "truth", "fact or rumor", "fact or rumour"),
    "rumor_channel": ("rumor channel", "rumour channel", "channel"),
    "corrects": ("corrects", "correction of", "replaces"),
    "question": ("question", "prompt", "query", "instruction"),
    "answer": ("answer", "ground truth", "response", "reference answer"),
    "choices": ("choices", "options"),
    "correct_choice": ("correct choice", "correct answer", "correct option", "answer index", "answer key"),
    "image": (
        *("picture", "image", "photo", "file name", "image file name", "images"),
        *("picture file", "image file", "photo file", "picture path", "image path", "photo path"),
    ),
    "image_license": ("picture license", "picture licence", "image license", "image licence", "photo licence"),
    "derived_from": ("derived from", "copy of", "augmented from"),
    "occasion": ("occasion", "event"),
    "split": ("split", "role", "subset"),
    "source": ("source", "source name"),
    "url": ("url", "source url", "link", "source link"),
    "publisher": ("publisher", "source publisher", "outlet"),
    "tier": ("tier", "source tier", "source type"),
    "retrieved_on": ("retrieved on", "retrieved", "accessed", "source date", "date"),
    "license": ("license", "licence", "source license", "source licence"),
}
"""Our fields and the names that their columns may have; the first that a table has is taken."""
_LISTED = 50
"""How many of a table's columns a message lists."""
_FIELD_OF = {folded_key(name): field for field, names in NAMES.items() for name in (field, *names)}
_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column holds what, for columns that aren't found by their name.

    Each is a column's name, or `=text` for the same text in every row, e.g. `--set split==general`; `=` alone
    leaves a column out that would be taken by its name.

    Args:
        id: A name for the claim, unique in the table.
        subject: Name of the subject.
        subject_id: Its id; default: made from the name.
        attribute: An attribute of the taxonomy.
        value: The claimed value.
        currency: Currency of amounts that say none.
        veracity: `fact`, `rumor` or `correction`.
        rumor_channel: Where a rumour stands.
        corrects: On a correction: the `id` of the rumour.
        question: Default: made from the taxonomy.
        answer: Default: made from the taxonomy.
        choices: Options of a multiple-choice question.
        correct_choice: The right one: its letter, its number from 0 or its text.
        image: The picture: a path, or embedded.
        image_license: Its licence.
        derived_from: The picture that it is an altered copy of.
        occasion: What the picture was taken or published for.
        split: The record's role.
        source: A link to the source, or its name.
        url: Its link.
        publisher: Its name.
        tier: `official`, `media`, `social` or `fictional`.
        retrieved_on: When it was looked at.
        license: Its licence.
    """

    id: str = ""
    subject: str = ""
    subject_id: str = ""
    attribute: str = ""
    value: str = ""
    currency: str = ""
    veracity: str = ""
    rumor_channel: str = ""
    corrects: str = ""
    question: str = ""
    answer: str = ""
    choices: str = ""
    correct_choice: str = ""
    image: str = ""
    image_license: str = ""
    derived_from: str = ""
    occasion: str = ""
    split: str = ""
    source: str = ""
    url: str = ""
    publisher: str = ""
    tier: str = ""
    retrieved_on: str = ""
    license: str = ""

    def chosen(self) -> dict[str, str]:
        """What the user said, by field: columns and constants."""
        fields = (f.name for f in dataclasses.fields(Columns))
        return {name: said for name in fields if (said := getattr(self, name))}


@dataclass(frozen=True, kw_only=True)
class TableOptions(Columns):
    """How to read tables, and which column holds what.

    Args:
        encoding: Of CSV files, e.g. `cp1250`; default: UTF-8 or UTF-16, else Windows-1252.
        delimiter: Of CSV files; default: the one of `, ; | tab` that fits.
        dates: How dates such as `03/04/2021` are meant; as long as it is unknown, they aren't read.
    """

    encoding: str = ""
    delimiter: str = ""
    dates: DateOrder = "unknown"

    def reading(self, sheet: str = "") -> TableReading:
        """How to read a table in which these columns are expected."""
        named = {folded_key(said) for said in self.chosen().values()}
        return TableReading(
            known=lambda name: folded_key(name) in named or folded_key(name) in _FIELD_OF,
            encoding=self.encoding,
            delimiter=self.delimiter,
            sheet=sheet,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The columns of one table.

    Args:
        columns: The column of each field.
        constants: Texts that are the same in every row.
        others: Columns that mean nothing to us.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    others: tuple[str, ...]

    def __contains__(self, field: object) -> bool:
        return field in self.columns or field in self.constants

    def fields(self, line: Line) -> dict[str, Any]:
        """The cells of a row by field."""
        found = {field: line.cells.get(column) for field, column in self.columns.items()}
        return {**found, **self.constants} if self.constants else found


def field_of(name: str) -> str | None:
    """The field that a column of this name holds; null if the name means nothing to us."""
    return _FIELD_OF.get(folded_key(name))


def match(table: Table, options: Columns) -> Matched:
    """Find the columns of a table.

    Raises:
        UsageError: If the user named a column that isn't there.
    """
    there = {folded_key(name): name for name in reversed(table.columns)}
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    for field, said in options.chosen().items():
        if said.startswith("="):
            constants[field] = said[1:].strip()
        elif folded_key(said) in there:
            columns[field] = there[folded_key(said)]
        else:
            hint = did_you_mean(said, table.columns)
            known = ", ".join(table.columns) or "none"
            raise UsageError(f"{table.name}: there is no column {said!r} for {field}.{hint} Columns: {known}.")
    for field, names in NAMES.items():
        fitting = (there[key] for name in (field, *names) if (key := folded_key(name)) in there)
        free = next((column for column in fitting if column not in columns.values()), None)
        if free is not None and field not in columns and field not in constants:
            columns[field] = free
    others = tuple(column for column in table.columns if column not in columns.values())
    return Matched(columns=columns, constants=constants, others=others)


@functools.cache
def _attribute_names() -> dict[str, str]:
    """Attributes of the shipped taxonomies by what people call them."""
    data = yaml.safe_load((resources.files(__package__) / "attributes.yaml").read_text(encoding="utf-8"))
    return {folded_key(name): attribute for attribute, names in data.items() for name in names}


def attribute_word(cell: Any, known: Sequence[str]) -> str | None:
    """The attribute that a cell names; null if it is empty.

    Raises:
        ValueError: If it is none of those known; suggests the one that is meant by what people call it.
    """
    try:
        return word_of(cell, "attribute", {name: name for name in known})
    except ValueError as error:
        said = clean(text_of(cell, "attribute"))
        meant = _meant_attribute(said, known)
        if meant is None:
            raise
        raise ValueError(unknown_name_message("attribute", said, list(known), meant=meant).rstrip(".")) from error


def _meant_attribute(said: str, known: Sequence[str]) -> str | None:
    """The attribute that is meant by what a table calls it; null if it is none of these, or several are near.

    Either people call it so (`attributes.yaml`), or its name's words are among what is said: `date of birth`.
    """
    named = _attribute_names().get(folded_key(said))
    if named in known:
        return named
    words = set(folded_words(said.replace("_", " ")))
    near = [name for name in known if set(folded_words(name.replace("_", " "))) <= words]
    most = max((len(name.split("_")) for name in near), default=0)
    near = [name for name in near if len(name.split("_")) == most]
    return near[0] if len(near) == 1 else None


def require(table: Table, matched: Matched, wanted: Sequence[str]) -> None:
    """Make sure that a table has what records are made of; `wanted` are the fields to suggest where it hasn't.

    Raises:
        UsageError: If it hasn't; shows its columns with an example of each and suggests what to say.
    """
    asked = "question" in matched and ("answer" in matched or {"choices", "correct_choice"} <= set(matched.columns))
    claimed = "attribute" in matched and ("value" in matched or "answer" in matched)
    about = "subject" in matched or "subject_id" in matched or "split" in matched
    if (asked or claimed) and about:
        return
    fields = ["image", *(wanted if not (asked or claimed) else ())]
    suggested = [_suggestion(field, table, matched) for field in fields if field not in matched]
    if not about and "subject" not in fields:
        suggested.append("--set subject=COLUMN, or --set split==general for questions about no subject")
    examples = _examples(table)
    told = [f"{column}: {examples.get(column, '(empty)')}" for column in table.columns[:_LISTED]]
    shown = listed(told, of=len(table.columns), shown=_LISTED)
    missing = "the subject" if asked or claimed else "question and answer, or attribute and value"
    raise UsageError(
        f"{table.name}: no column is known as {missing}. Its columns, with an example:\n{shown or '  none'}\n"
        f"Say which is which, e.g. {' '.join(filter(None, suggested))}. "
        "`=text` instead of a column is the same text in every row."
    )


def _suggestion(field: str, table: Table, matched: Matched) -> str:
    free = {folded_key(column): column for column in matched.others}
    words = [folded_key(name) for name in (field, *NAMES[field])]
    fitting = next((column for key, column in free.items() if any(word in key for word in words)), None)
    if fitting is None and field == "image":
        return ""
    return f"--set {field}={fitting or 'COLUMN'}"


def _examples(table: Table) -> dict[str, str]:
    """The first thing that stands in each column."""
    found: dict[str, str] = {}
    for line in table.lines:
        for column, cell in line.cells.items():
            if cell is not None and column not in found:
                found[column] = _shown(cell)
        if len(found) == len(table.columns) or line.index >= 100:
            break
    return found


def _shown(cell: Any) -> str:
    if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes):
        return f"a picture of {len(cell['bytes']):,} bytes"
    if isinstance(cell, bytes):
        return f"{len(cell):,} bytes"
    text = repr(cell)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def others_note(matched: Matched) -> Sequence[str]:
    """What to say of columns that mean nothing to us."""
    if not matched.others:
        return ()
    return (f"columns that are not imported: {', '.join(matched.others)}",)
