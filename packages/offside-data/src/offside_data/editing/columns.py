"""The columns of a table of edits: which there are, what a record says in each, and how a cell is written."""

from __future__ import annotations

import re

from offside_data.adapters._tables.columns import field_of
from offside_data.adapters._text import clean
from offside_data.adapters._values import folded_key
from offside_data.schema import Record

KEY = "record_id"
SOURCE = ("url", "publisher", "tier", "retrieved_on", "license")
"""Columns about a record's first source."""
CONTEXT = ("subject_id", "image_id", "modality", "scope")
"""Columns that say what a record is about; they can't be changed, and `scope` follows the attribute."""
EDITABLE = (
    *("split", "attribute", "veracity", "rumor_channel", "question", "answer", "value", "corrects"),
    *("suspect", "agreed_value", *SOURCE),
)
"""Columns that a template fills in."""
COLUMNS = (KEY, *CONTEXT, *EDITABLE, "cloze")
"""All columns that a table may have. A template has no `cloze`: it is made anew when the answer changes."""
MADE = ("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices", "correct_choice")
"""Fields that `questions` makes: no table changes them."""
CLAIM = ("attribute", "veracity", "rumor_channel", "answer", "value")
"""Columns that say what is claimed."""
READ = (
    *("record_id", "subject_id", "image_id", "modality", "scope", "split", "attribute", "veracity", "rumor_channel"),
    *("question", "answer", "value", "corrects", "suspect", "agreed_value", "sources"),
)
"""Fields of records that the columns are filled from."""

CLEAR = "(clear)"
"""A cell that empties a field; an empty cell leaves it as it is."""

_COLUMN_OF = {folded_key(name): name for name in COLUMNS}
# A spreadsheet takes such a cell for a formula. The apostrophe in front says that it is text; a text that looks as if
# it had got one already gets another, so that reading gives back what was written.
_FORMULA = re.compile(r"'*[=+\-@]")
_QUOTED = re.compile(r"'+(?:[=+\-@]|\(clear\)$)", re.I)
_MARKER = re.compile(r"'*\(clear\)$", re.I)


def column_of(name: str) -> str | None:
    """The column that a heading means, without regard to case, blanks and underscores; null if none.

    Headings that `ingest` knows mean the same here: `Verdict` is `veracity`, `link` is `url`.
    """
    known = _COLUMN_OF.get(folded_key(name))
    field = field_of(name)
    return known or (field if field in EDITABLE else None)


def texts_of(record: Record) -> dict[str, str]:
    """What a record says in each column; empty where it says nothing."""
    source = record.sources[0] if record.sources else None
    texts = {name: getattr(record, name) for name in COLUMNS if name not in SOURCE}
    texts |= {name: getattr(source, name) for name in SOURCE} if source is not None else dict.fromkeys(SOURCE)
    texts["value"] = record.value.text if record.value is not None else None
    return {name: clean(text or "") for name, text in texts.items()}


def written(text: str, *, formulas: bool) -> str:
    """A text as a cell holds it.

    Args:
        text: The text.
        formulas: Whether the file has no types, so that a spreadsheet would run `=1+1`.
    """
    odd = _MARKER.match(text) or _QUOTED.match(text) or (formulas and _FORMULA.match(text))
    return f"'{text}" if odd else text


def read(cell: str) -> str:
    """The text of a cell that `written` wrote, or a person."""
    text = clean(cell)
    return text[1:] if _QUOTED.match(text) else text
