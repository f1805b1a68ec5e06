"""Records whose attribute isn't decided yet: they survive `ingest` under an attribute that says so.

Every record about a subject needs an attribute of its taxonomy. An adapter that can't tell which calls `untagged`
with the reason. The attribute joins the dataset's `taxonomy.yaml` for as long as a record has it; `check` calls
such records an error, so that nothing is released before `tag` or a person has decided.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from offside_data.errors import TaxonomyError
from offside_data.schema import Record
from offside_data.tagging.suspects import add_suspect
from offside_data.taxonomy import Attribute, parse_taxonomy

UNTAGGED = Attribute(
    name="untagged",
    # As long as nobody knows better, a claim belongs to its picture and to no other.
    scope="private",
    kind="text",
    questions=("What does this record claim?",),
    answers=("{value}",),
)
"""The attribute of records whose attribute isn't decided."""

_ITEM = (
    '- {name: untagged, scope: private, kind: text, questions: ["What does this record claim?"], '
    'answers: ["{value}"]}  # goes with the last record that has it'
)
_LISTED = re.compile(rf"^[ \t]*{re.escape(_ITEM)}\n", re.M)
_LIST_START = re.compile(r"^attributes:[ \t]*(?:#.*)?\n(?:[ \t]*#.*\n)*(?=([ \t]*)-)", re.M)


def untagged(record: Record, why: str) -> Record:
    """The record without a decided attribute, flagged with the reason, e.g. `it could be fee or market_value`."""
    record = dataclasses.replace(record, attribute=UNTAGGED.name, scope=UNTAGGED.scope, value=None)
    return add_suspect(record, f"attribute: {why}")


def fit_taxonomy(text: str, attributes: Iterable[str | None]) -> str:
    """A taxonomy's YAML text with `UNTAGGED` if a record needs it and else without; comments stay.

    Args:
        text: The YAML text.
        attributes: Those of the records.

    Raises:
        TaxonomyError: If the text is malformed, or its attributes are no list with one item a line.
    """
    if UNTAGGED.name not in attributes:
        return _LISTED.sub("", text)
    if UNTAGGED.name in parse_taxonomy(text, where="taxonomy.yaml"):
        return text
    start = _LIST_START.search(text)
    if start is None:
        raise TaxonomyError("taxonomy.yaml: write the attributes as a list, each starting with a dash on its own line.")
    return f"{text[: start.end()]}{start[1]}{_ITEM}\n{text[start.end() :]}"
