"""Does each subject have one value of each shared fact: what holds in every picture can't differ between two."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.issues import Issue
from offside_data.tagging.suspects import differing_facts

CODE = "fact-conflict"
_SHOWN = 3
"""Records that a message names."""


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare what records say of each subject: an error for each further value, even where an import flagged it.

    A flag says that somebody should look; until somebody did, one of the two values is taught as a fact that isn't.
    """
    import polars as pl

    facts = checked.records.filter((pl.col("scope") == "shared") & (pl.col("veracity") == "fact"))
    facts = facts.with_columns(pl.col("attribute").cast(pl.String))
    for subject, attribute, values in differing_facts(facts, checked.dataset.taxonomy):
        (most, others_say), *further = values
        for text, records in further:
            named = ", ".join(records[:_SHOWN]) + (", …" if len(records) > _SHOWN else "")
            message = (
                f"{attribute} of {subject} is {text!r} here ({len(records)} records: {named}), but {most!r} in "
                f"{len(others_say)} others, e.g. {others_say[0]}. A shared fact has one value: correct what is wrong "
                "with `offside-data edit`, or waive it with a reason."
            )
            yield Issue("error", CODE, records[0], message)
