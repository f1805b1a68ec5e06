"""Change records by a table, or by plain rows: what they claim, where they stand, where they come from.

A row names a record and the fields to change; an empty cell leaves a field as it is. What follows from a change is
changed with it: further forms, the text form of a picture's claim, the subject's facts. One decision says all that
one call changed, and `undo` takes it back. A table that was applied once changes nothing any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.config import build
from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision, now
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.rows import records_of
from offside_data.dataset.storage import Row
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import RowChange, record_change, save_undo
from offside_data.editing.columns import CLAIM
from offside_data.editing.dependents import Pair, consequences, facts_that_change, lost_links
from offside_data.editing.reading import changed_records, records_around, subjects_of
from offside_data.editing.remaking import with_fitting_forms
from offside_data.editing.table import SHOWN, Edit, EditTableOptions, edits_of, read_edits
from offside_data.editing.template import write_template as write_template
from offside_data.errors import RecordError, UsageError, listed
from offside_data.questions.forms import FORMS
from offside_data.split import READ as PLACED
from offside_data.split import placement_problems, with_splits
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy
from offside_data.taxonomy import Taxonomy
from offside_data.validation import validate_record

KIND = "edit"
"""Kind of the decisions that say what was changed by hand."""
_FIELDS = (
    *("split", "attribute", "scope", "image_id", "veracity", "rumor_channel", "question", "answer", "value"),
    *("corrects", "suspect", "agreed_value", "sources", "cloze"),
)
"""Fields that are listed with what they were and are; those in `FORMS` only where the table gives them."""


@dataclass(frozen=True, kw_only=True)
class RecordEdit:
    """What became of one record.

    Args:
        record_id: The record.
        fields: By field, what it was and is.
        remade: Further forms that were made anew with another result.
        because: The changed record that it follows; null if the table names it.
    """

    record_id: str
    fields: dict[str, tuple[Any, Any]]
    remade: tuple[str, ...] = ()
    because: str | None = None


@dataclass(frozen=True, kw_only=True)
class EditReport:
    """What a table changed, or would change.

    Args:
        rows: Records that the table names.
        changes: Records that changed: those that it names, then those that follow.
        notes: What doesn't follow and a person should look at.
        decision: The decision that says so; null if nothing was written.
    """

    rows: int
    changes: tuple[RecordEdit, ...]
    notes: tuple[str, ...]
    decision: Row | None

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return dataclasses.asdict(self)


@changes(unless="dry_run")
def edit_dataset(
    folder: str | Path,
    table: str | Path,
    *,
    dry_run: bool = False,
    reason: str = "",
    by: str = "",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> EditReport:
    """Change the records of a dataset folder as a table says, all or nothing.

    Args:
        folder: The dataset.
        table: CSV, XLSX, JSON lines or Parquet, with `record_id` and the columns to change (`editing.columns`).
        dry_run: Only say what would change.
        reason: Why; the table's name if empty.
        by: Pseudonym of whoever decided.
        seed: Seed of wrong answers that are made anew; that of `questions`.
        settings: How to read the table, see `editing.table.EditTableOptions`.

    Raises:
        DatasetReferenceError: If there is no such folder.
        SourceError: If the table can't be read.
        UsageError: If a column is unknown, or a row can't be followed; lists all such rows.
    """
    dataset = open_dataset(folder)
    path = Path(table)
    edits = read_edits(path, build(EditTableOptions, settings or {}))
    return _edit(dataset, edits, _Asked(dry_run, reason or f"as {path.name} says", by, seed, path.name))


@changes(unless="dry_run")
def edit_rows(
    folder: str | Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    dry_run: bool = False,
    reason: str,
    by: str = "",
    seed: int = 0,
    command: str = KIND,
) -> EditReport:
    """The same with plain rows, each with `record_id` and the columns to change; null leaves a field as it is.

    Args:
        folder: The dataset.
        rows: The rows.
        dry_run: Only say what would change.
        reason: Why.
        by: Pseudonym of whoever decided.
        seed: As `edit_dataset`.
        command: What the decision says it was made by.

    Raises:
        DatasetReferenceError: If there is no such folder.
        UsageError: As `edit_dataset`.
    """
    return _edit(open_dataset(folder), edits_of(rows), _Asked(dry_run, reason, by, seed, "", command))


@dataclass(frozen=True)
class _Asked:
    """How records are to be changed."""

    dry_run: bool
    reason: str
    by: str
    seed: int
    table: str
    command: str = KIND

    def decision(self, changes: Sequence[RecordEdit]) -> Row:
        """The decision; what is about one record is an item of a list, so that a takedown takes no more than that."""
        what = {"table": self.table, "changes": [_plain(change) for change in changes]}
        who = f" by {self.by}" if self.by else ""
        return make_decision(KIND, what, self.reason, command=f"{self.command} {self.table}".strip() + who, when=now())


def _plain(change: RecordEdit) -> Row:
    told: Row = {"record_id": change.record_id, "changes": {f: list(pair) for f, pair in change.fields.items()}}
    if change.remade:
        told["remade"] = list(change.remade)
    return told | ({"because": change.because} if change.because else {})


def _edit(dataset: OffsideDataset, edits: Mapping[str, Edit], asked: _Asked) -> EditReport:
    changed = changed_records(dataset, edits)
    if not changed:
        return EditReport(rows=len(edits), changes=(), notes=(), decision=None)
    taxonomy = dataset.taxonomy
    around = records_around(dataset, changed, taxonomy)
    own = frozenset(name for name, edit in edits.items() if not edit.cells.keys().isdisjoint(CLAIM))
    made = consequences(changed, around, own, taxonomy)
    changed |= {name: pair for name, (pair, _) in made.followed.items()}
    lost = lost_links(changed, (record for record in around if record.record_id not in changed))
    changed |= {name: pair for name, (pair, _) in lost.items()}
    _require_places(dataset, changed)
    subjects = facts_that_change(
        changed,
        [record for record in around if record.record_id not in changed],
        subjects_of(dataset, changed),
        taxonomy,
    )
    changed = with_fitting_forms(dataset, changed, around, edits, asked.seed)
    _require_sound(edits, changed, taxonomy)
    because = {name: claim for name, (_, claim) in {**lost, **made.followed}.items() if name not in edits}
    report = [_told(pair, edits, because) for pair in changed.values()]
    decision = None if asked.dry_run else asked.decision(report)
    if decision is not None:
        _write(dataset, changed, subjects, decision)
    notes = (*made.notes, *map(_parted, lost, (target for _, target in lost.values())))
    return EditReport(rows=len(edits), changes=tuple(report), notes=notes, decision=decision)


def _parted(name: str, target: str) -> str:
    return (
        f"{name} no longer corrects {target}, which isn't a rumor about the same any more; say in its corrects what it "
        "corrects, or give it another veracity"
    )


def _told(pair: Pair, edits: Mapping[str, Edit], because: Mapping[str, str]) -> RecordEdit:
    name = pair.before.record_id
    by_hand = edits[name].cells.keys() if name in edits else ()
    fields = {
        field: (_as_json(getattr(pair.before, field)), _as_json(getattr(pair.after, field)))
        for field in _FIELDS
        if pair.differs(field) and (field not in FORMS or field in by_hand)
    }
    remade = tuple(form for form in FORMS if pair.differs(form) and form not in fields)
    return RecordEdit(record_id=name, fields=fields, remade=remade, because=because.get(name))


def _as_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and hasattr(value, "text"):
        return value.text
    return [dataclasses.asdict(item) for item in value] if isinstance(value, tuple) else value


# ---------------------------------------------------------------------------------------------
# What must hold


def _require_places(dataset: OffsideDataset, changed: Mapping[str, Pair]) -> None:
    """Refuse moves that break a rule of the splits.

    Raises:
        UsageError: Naming the rows.
    """
    import polars as pl

    moved = {name: pair.after.split for name, pair in changed.items() if pair.differs("split")}
    if not moved:
        return
    subjects = dataset.frame("subjects", ["subject_id", "cohort"]).filter(pl.col("cohort") == "holdout")
    unseen = set(subjects["subject_id"])
    problems = [
        f"record {name}: its subject {changed[name].before.subject_id} is of the cohort holdout and can't move."
        for name in moved
        if changed[name].before.subject_id in unseen
    ]
    pictures = {changed[name].after.image_id for name in moved} | {changed[name].after.derived_from for name in moved}
    shown = [name for name in pictures if name is not None]
    concerned = (
        dataset.claims(PLACED)
        .filter(
            pl.col("image_id").is_in(shown)
            | pl.col("derived_from").is_in(shown)
            | pl.col("record_id").is_in(list(moved))
        )
        .drop("part")
    )
    now = records_of(concerned, dataset.pictures)
    after = [changed[record.record_id].after if record.record_id in changed else record for record in now]
    problems += (f"record {problem}" for problem in placement_problems(after, moved))
    if problems:
        advice = "Give all records of a picture one split, or move the picture with `split --policy file`."
        raise UsageError(f"the moves can't be made, nothing was changed:\n{listed(problems, shown=SHOWN)}\n{advice}")


def _require_sound(edits: Mapping[str, Edit], changed: Mapping[str, Pair], taxonomy: Taxonomy) -> None:
    """Refuse records that break the data model.

    Raises:
        UsageError: Naming the rows.
    """
    problems = []
    for name, pair in changed.items():
        try:
            validate_record(pair.after, taxonomy)
        except RecordError as error:
            problems.append(f"{edits[name].place}: {error}" if name in edits else str(error))
    if problems:
        raise UsageError(
            f"these records would break the data model, nothing was changed:\n{listed(problems, shown=SHOWN)}"
        )


# ---------------------------------------------------------------------------------------------
# Writing


def _write(
    dataset: OffsideDataset, changed: Mapping[str, Pair], subjects: Sequence[tuple[Row, Row]], decision: Row
) -> None:
    """Write the changes, what takes them back, and the decision."""
    import polars as pl

    # A record's picture stays, so there is no need to keep it.
    bare = sorted(changed.values(), key=lambda pair: pair.before.record_id)
    changes = [
        record_change(dataclasses.replace(p.before, image=None), dataclasses.replace(p.after, image=None)) for p in bare
    ]
    changes += (RowChange("subjects", before, after) for before, after in subjects)
    moved = {name: pair.after.split for name, pair in changed.items() if pair.differs("split")}
    fields = [f for f in (*_FIELDS, *FORMS, "correct_choice") if f != "split"]
    fields = [f for f in dict.fromkeys(fields) if any(pair.differs(f) for pair in bare)]
    with change_dataset(dataset) as change:
        if fields:
            change.update_records((pair.after for pair in bare if pair.differs(*fields)), fields)
        if moved:
            change.update_records((changed[name].after for name in moved), ["split"])
            images = change.table_rows("images")
            records = [pair.after for pair in changed.values()]
            change.set_table("images", with_splits(change.tables["images"], records, moved))
            changes += _moved_rows(images, change.table_rows("images"))
        if subjects:
            told = {after["subject_id"]: after for _, after in subjects}
            rows = change.table_rows("subjects")
            change.set_table("subjects", [told.get(row["subject_id"], row) for row in rows])
        left = {p.before.attribute for p in bare} - {p.after.attribute for p in bare}
        if UNTAGGED.name in left:
            attributes = dataset.claims(["record_id", "attribute"]).filter(~pl.col("record_id").is_in(list(changed)))
            kept = {*attributes["attribute"].unique(), *(pair.after.attribute for pair in bare)}
            change.set_taxonomy(fit_taxonomy(change.taxonomy_text, kept))
        change.decide([decision])
        change.also_write(lambda staged: save_undo(staged, decision["id"], changes))


def _moved_rows(before: Iterable[Row], after: Iterable[Row]) -> Iterator[RowChange]:
    now = {row["image_id"]: row for row in after}
    for row in before:
        if now[row["image_id"]]["split"] != row["split"]:
            yield RowChange("images", {**row, "image": None}, {**now[row["image_id"]], "image": None})
