"""Does a text hold a character that nobody sees: it makes another word of a word, and no one can tell why."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import NO_ID, CheckedDataset
from offside_data.invisible import ALWAYS, invisible_in
from offside_data.issues import Issue


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Look through what people read; imports leave such characters out, other programs may not."""
    import polars as pl

    texts = [(checked.records, "record_id", "question"), (checked.records, "record_id", "answer")]
    texts.append((checked.tables["images"], "image_id", "occasion"))
    if "subjects" in checked.sizes:
        texts.append((checked.dataset.frame("subjects", ["subject_id", "name"]), "subject_id", "name"))
    for frame, key, column in texts:
        rows = frame.filter(pl.col(column).str.contains(f"[{ALWAYS}]")).select(key, column)
        for name, text in rows.iter_rows():
            found = ", ".join(invisible_in(text))
            message = f"its {column} holds {found}, which nobody sees; write it anew with `offside-data edit`."
            yield Issue("warning", "invisible-character", name or NO_ID, message)
