"""The shared facts about subjects, as the subjects table lists them."""

from __future__ import annotations

from collections.abc import Sequence

from offside_data.dataset.storage import Row
from offside_data.schema import Record
from offside_data.taxonomy import Taxonomy


def with_facts(subjects: Sequence[Row], records: Sequence[Record], taxonomy: Taxonomy) -> list[Row]:
    """Rows of the subjects table with the shared facts they lack: of each, the first value that isn't suspect.

    Values of kind `text` are none: a subject may have many sentences of one attribute.
    """
    told: dict[str | None, dict[str, str]] = {}
    for record in sorted(records, key=lambda r: r.suspect is not None):
        value = record.value
        if record.scope == "shared" and record.attribute is not None and value is not None and value.kind != "text":
            told.setdefault(record.subject_id, {}).setdefault(record.attribute, value.text)
    rows = []
    for row in subjects:
        facts = told.get(row["subject_id"], {}) | {fact["attribute"]: fact["text"] for fact in row.get("facts") or ()}
        listed = [{"attribute": name, "text": facts[name]} for name in taxonomy.names("shared") if name in facts]
        rows.append({**row, "facts": listed})
    return rows
