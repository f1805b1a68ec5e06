"""What is read of a dataset to change it: the records that a table names, and those that say something about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.rows import records_of, rows_of
from offside_data.dataset.storage import Row
from offside_data.editing.changes import edited
from offside_data.editing.dependents import FOLLOWING, Pair, may_correct
from offside_data.editing.table import SHOWN, Edit
from offside_data.errors import UsageError, listed
from offside_data.plugins import did_you_mean
from offside_data.questions.knowledge import value_group
from offside_data.schema import Record
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

_HINTS = 20
"""Unknown records for which a near one is looked for."""


def whole_rows(dataset: OffsideDataset, keep: pl.Expr, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows for which a condition holds, with all columns, batch by batch.

    Parts that hold none of them are read by the columns alone that the condition looks at.
    """
    for part in dataset.record_parts():
        if dataset.frame(part, columns).select(keep.any()).item():
            for batch in dataset.batches(part):
                found = batch.filter(keep)
                if len(found):
                    yield found


def whole_records(dataset: OffsideDataset, keep: pl.Expr, columns: Sequence[str]) -> Iterator[Record]:
    """As `whole_rows`, the rows as records."""
    for rows in whole_rows(dataset, keep, columns):
        yield from records_of(rows, dataset.pictures)


def changed_records(dataset: OffsideDataset, edits: Mapping[str, Edit]) -> dict[str, Pair]:
    """The records that the table changes; their further forms are as before.

    Raises:
        UsageError: If it names records that aren't there, or rows that can't be followed; lists them.
    """
    import polars as pl

    wanted = pl.Series(list(edits), dtype=pl.String)
    changed: dict[str, Pair] = {}
    linked: dict[str, Record] = {}
    problems: list[str] = []
    missing = set(edits)
    for record in whole_records(dataset, pl.col("record_id").is_in(wanted.implode()), ["record_id"]):
        edit = edits[record.record_id]
        missing.discard(record.record_id)
        try:
            after = edited(edit, record, dataset.taxonomy)
        except ValueError as problem:
            problems.append(f"{edit.place}: record {record.record_id}: {problem}.")
            continue
        if after != record:
            changed[record.record_id] = Pair(record, after)
        if edit.told("corrects"):
            linked[record.record_id] = after
    for number, name in enumerate(sorted(missing)):
        hint = _hint(dataset, name) if number < _HINTS else ""
        problems.append(f"{edits[name].place}: there is no record {name!r}.{hint}")
    if not problems:
        problems = list(_target_problems(dataset, edits, linked, changed))
    if problems:
        raise UsageError(f"these rows can't be followed, nothing was changed:\n{listed(problems, shown=SHOWN)}")
    return changed


def _hint(dataset: OffsideDataset, name: str) -> str:
    """A record whose id differs in the end alone."""
    found: list[str] = []
    for part in dataset.record_parts():
        names = dataset.frame(part, ["record_id"])["record_id"]
        found += names.filter(names.str.starts_with(name[: max(4, len(name) // 2)])).head(1_000).to_list()
    return did_you_mean(name, found)


def _target_problems(
    dataset: OffsideDataset, edits: Mapping[str, Edit], linked: Mapping[str, Record], changed: Mapping[str, Pair]
) -> Iterator[str]:
    """What is wrong with the rumours that rows say are to be corrected; what was wrong before is left as it is."""
    import polars as pl

    wanted = {
        name: record.corrects
        for name, record in linked.items()
        if record.corrects is not None and _is_anew(changed.get(name), changed.get(record.corrects))
    }
    if not wanted:
        return
    is_wanted = pl.col("record_id").is_in(list(wanted.values()))
    there = {record.record_id: record for record in whole_records(dataset, is_wanted, ["record_id"])}
    for name, target in wanted.items():
        rumor = changed[target].after if target in changed else there.get(target)
        if rumor is None:
            yield f"{edits[name].place}: record {name}: corrects names {target!r}, but there is no such record."
        elif not may_correct(linked[name], rumor):
            yield (
                f"{edits[name].place}: record {name}: it can't correct {target!r}, which is no rumor about the same; "
                "name another one, or leave the cell empty."
            )


def _is_anew(correction: Pair | None, target: Pair | None) -> bool:
    """Whether it has to be looked at what a correction corrects."""
    said = correction is not None and correction.differs("corrects", "attribute")
    return said or (target is not None and target.differs("attribute", "veracity"))


def records_around(dataset: OffsideDataset, changed: Mapping[str, Pair], taxonomy: Taxonomy) -> list[Record]:
    """All other records that say something about what changed: of the same subject, and attributes of one group."""
    import polars as pl

    records = [
        r for pair in changed.values() for r in (pair.before, pair.after) if pair.differs("attribute", *FOLLOWING)
    ]
    subjects = {r.subject_id for r in records if r.subject_id is not None}
    attributes = related({r.attribute for r in records}, taxonomy)
    if not subjects or not attributes:
        return []
    keep = (
        pl.col("subject_id").is_in(list(subjects))
        & pl.col("attribute").is_in(attributes)
        & ~pl.col("record_id").is_in(list(changed))
    )
    return list(whole_records(dataset, keep, ["record_id", "subject_id", "attribute"]))


def related(names: Collection[str | None], taxonomy: Taxonomy) -> list[str]:
    """Attributes whose values are true of one another's subjects, e.g. clubs and previous clubs."""
    groups = {value_group(taxonomy[name]) for name in names if name is not None}
    return [attribute.name for attribute in taxonomy.attributes if value_group(attribute) in groups]


def subjects_of(dataset: OffsideDataset, changed: Mapping[str, Pair]) -> list[Row]:
    """Rows of the subjects table: those whose values change."""
    import polars as pl

    names = {pair.after.subject_id for pair in changed.values() if pair.differs("value")} - {None}
    if not names:
        return []
    return rows_of(dataset.frame("subjects").filter(pl.col("subject_id").is_in(list(names))), dataset.pictures)
