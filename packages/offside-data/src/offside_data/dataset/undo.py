"""Take a decision back: what a command took out of a dataset, or changed in it, is kept and comes back exactly.

A command that may be taken back keeps the rows it touches, as they were and as it left them, in `.offside/undo/`,
together with its changes:

```python
with change_dataset(folder) as change:
    ...
    change.also_write(lambda staged: save_undo(staged, decision["id"], changes))
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import IN_FORCE_BY_STANDING, UNDO, holding, make_decision, now, read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder
from offside_data.dataset.pictures import StoredImage
from offside_data.dataset.rows import frame_of, rows_of
from offside_data.dataset.storage import TABLES, Row, id_column, write_file
from offside_data.dataset.transaction import Transaction, change_dataset
from offside_data.errors import SHOWN, DatasetError, UsageError, listed
from offside_data.plugins import unknown_name_message
from offside_data.schema import EncodedImage, Record, features_of
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy
from offside_data.takedown.tombstones import KIND as TAKEDOWN

PARTS = ("records", *TABLES)
"""What a change may be a change of."""

_UNDO = "undo"
_REFERENCES = {"corrects": "records", "derived_from": "images", "twin_of": "images"}


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row as it was and as a command left it; null where there was or is none.

    Args:
        part: `records`, `subjects` or `images`.
        before: All fields of the row; a picture is `{"bytes", "path"}`.
        after: The same.
    """

    part: str
    before: Row | None
    after: Row | None

    @property
    def name(self) -> str:
        """The row's id."""
        row = self.before or self.after or {}
        return str(row[id_column(self.part)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What `undo` did.

    Args:
        decision: The decision that says so; it can be taken back itself.
        returned: Rows that are there again.
        changed: Rows that are as they were.
        removed: Rows that the decision had added.
    """

    decision: Row
    returned: int
    changed: int
    removed: int


def record_change(before: Record | None, after: Record | None) -> RowChange:
    """A change of a record."""
    return RowChange("records", _record_row(before), _record_row(after))


def save_undo(folder: Path, decision_id: str, changes: Sequence[RowChange]) -> None:
    """Keep what is needed to take a decision back.

    Args:
        folder: The dataset folder, or what `replaced_content` gives: then it appears together with the changes.
        decision_id: The decision.
        changes: Every row that it touched, once.
    """
    place = work_folder(folder, _UNDO, decision_id)
    for part in PARTS:
        for side in ("before", "after"):
            rows = [row for change in changes if change.part == part and (row := getattr(change, side)) is not None]
            if rows:
                columns = _features(part)
                plain = ({column: _plain(row.get(column)) for column in columns} for row in rows)
                write_file(place / f"{side}-{part}.parquet", plain, columns)


@changes()
def undo(folder: str | Path, decision_id: str) -> Undone:
    """Take a decision back.

    Rows that it took out return as they were; in rows that it changed, the fields that it changed do. All other
    fields keep what later commands wrote. If the dataset wasn't changed in between, its digest is the same again.

    Raises:
        UsageError: If there is no such decision, or it was taken back before.
        DatasetError: If nothing is kept of it, or later changes build on it; lists them.
    """
    dataset = open_dataset(folder)
    decisions = read_decisions(dataset.path)
    decision = _find(dataset.path, decisions, decision_id)
    changes = _load(dataset.path, decision_id)
    if not changes and _in_force(decision, decisions)["kind"] not in IN_FORCE_BY_STANDING:
        why = _why_nothing_is_kept(decisions, decision)
        raise DatasetError(f"{dataset.path}: decision {decision_id} ({decision['kind']}) can't be taken back: {why}")
    rows = _Rows(dataset, changes)
    _require_untouched(dataset.path, decisions, decision_id, changes, rows)
    reverted = [rows.revert(change) for change in changes]
    taken_back = make_decision(
        UNDO,
        {"decision": decision_id, **{part: [c.name for c in reverted if c.part == part] for part in PARTS}},
        f"takes back: {decision['why']}",
        command=f"undo {decision_id}",
        when=now(),
    )
    with change_dataset(dataset) as change:
        apply_changes(change, reverted)
        change.decide([taken_back])
        change.also_write(lambda staged: save_undo(staged, taken_back["id"], reverted))
    return Undone(
        decision=taken_back,
        returned=sum(c.before is None for c in reverted),
        changed=sum(c.before is not None and c.after is not None for c in reverted),
        removed=sum(c.after is None for c in reverted),
    )


def apply_changes(change: Transaction, changes: Iterable[RowChange]) -> None:
    """Make rows of a dataset what `after` of these changes says."""
    changes = list(changes)
    records = {c.name: c for c in changes if c.part == "records"}
    change.remove_records(records)  # Their successors are added whole, wherever they lie now.
    after = [c.after for c in records.values() if c.after is not None]
    if after:
        change.add_frame(frame_of(after, "multimodal", change.store))
        if any(row["attribute"] == UNTAGGED.name for row in after):
            change.set_taxonomy(fit_taxonomy(change.taxonomy_text, [UNTAGGED.name]))
    for table, key in TABLES.items():
        named = {c.name: c.after for c in changes if c.part == table}
        if named:
            rows = [row for row in change.table_rows(table) if row[key] not in named]
            change.set_table(table, [*rows, *(row for row in named.values() if row is not None)])


def undoable(folder: Path, decisions: Sequence[Row]) -> list[str]:
    """Ids of the decisions that hold and can be taken back, oldest first."""
    holding = _holding(decisions)
    return [
        d["id"]
        for d in decisions
        if d.get("id") in holding
        and (_in_force(d, decisions)["kind"] in IN_FORCE_BY_STANDING or work_folder(folder, _UNDO, d["id"]).is_dir())
    ]


# ---------------------------------------------------------------------------------------------
# Decisions


def _find(folder: Path, decisions: Sequence[Row], decision_id: str) -> Row:
    found = next((d for d in decisions if d.get("id") == decision_id), None)
    if found is None:
        known = undoable(folder, decisions)[-SHOWN:]
        raise UsageError(f"{folder}: {unknown_name_message('decision', decision_id, known)}")
    if decision_id not in _holding(decisions):
        raise UsageError(f"{folder}: decision {decision_id} was taken back already; to apply it anew, undo that undo.")
    return found


def _why_nothing_is_kept(decisions: Sequence[Row], decision: Row) -> str:
    """Why a decision can't be taken back of which no row is kept."""
    if decision["kind"] == TAKEDOWN:
        return (
            "a takedown is for good. Nothing is kept of who was taken down, so that nothing can come back; "
            "only a source that still has the subject could bring it, into a dataset of another folder."
        )
    later = [d["id"] for d in decisions[decisions.index(decision) + 1 :] if d["kind"] == TAKEDOWN and d.get("id")]
    if later:
        return (
            f"the takedown {', '.join(later)}, which came after it, took what was kept of earlier decisions along, for "
            "it could have held the subject. Change the rows anew, e.g. with `offside-data edit`."
        )
    return "nothing is kept of it: it changed no row, or this copy of the dataset was made without .offside/undo."


def _holding(decisions: Iterable[Mapping[str, Any]]) -> set[str]:
    return {decision["id"] for decision in holding(decisions)}


def _in_force(decision: Row, decisions: Sequence[Row]) -> Row:
    """The decision itself or, of an undo, the one that it takes back in the end."""
    by_id = {d["id"]: d for d in decisions}
    while decision["kind"] == UNDO and decision["what"]["decision"] in by_id:
        decision = by_id[decision["what"]["decision"]]
    return decision


def _require_untouched(
    folder: Path, decisions: Sequence[Row], decision_id: str, changes: Sequence[RowChange], rows: _Rows
) -> None:
    """Make sure that what a decision left is still so.

    Raises:
        DatasetError: Listing what isn't, and the later decisions that did it.
    """
    place, holding = [d.get("id") for d in decisions].index(decision_id), _holding(decisions)
    later = [d for d in decisions[place + 1 :] if d["kind"] != UNDO and d.get("id") in holding]
    touched = {d["id"]: _touched(folder, d["id"]) for d in later}
    changed = {(c.part, c.name): what for c in changes if (what := rows.difference(c))}
    for change in changes:
        for target in rows.missing_targets(change):
            if any(target in names for names in touched.values()):
                changed[target] = f"is gone, but {change.name} refers to it"
    if not changed:
        return
    told = listed([f"{part[:-1]} {name}: {what}" for (part, name), what in changed.items()])
    builders = [f"{d['id']} ({d['kind']})" for d in later if touched[d["id"]] & changed.keys()]
    advice = (
        f"Take these decisions back first, the last one first: {', '.join(builders)}."
        if builders
        else "It was changed by commands that keep nothing to take back."
    )
    raise DatasetError(
        f"{folder}: decision {decision_id} can't be taken back, because what it left was changed since:\n"
        f"{told}\n{advice}"
    )


# ---------------------------------------------------------------------------------------------
# Rows


class _Rows:
    """The rows that some changes touch or refer to, as they are now, by part and id."""

    def __init__(self, dataset: OffsideDataset, changes: Sequence[RowChange]) -> None:
        wanted: dict[str, set[str]] = {part: set() for part in PARTS}
        for change in changes:
            wanted[change.part].add(change.name)
            for field, part in _REFERENCES.items():
                target = (change.before or {}).get(field)
                if target is not None:
                    wanted[part].add(target)
        self._rows = {part: dict(_found(dataset, part, names)) for part, names in wanted.items()}

    def get(self, part: str, name: str) -> Row | None:
        """A row; null if there is none."""
        return self._rows[part].get(name)

    def difference(self, change: RowChange) -> str | None:
        """What is no longer as the change left it, in words."""
        now = self.get(change.part, change.name)
        if change.after is None:
            return None if now is None else "is there again"
        if now is None:
            return "is gone"
        changed = [f for f in _changed_fields(change) if not _same(now.get(f), change.after.get(f))]
        return f"{', '.join(changed)} changed" if changed else None

    def missing_targets(self, change: RowChange) -> Iterator[tuple[str, str]]:
        """Rows that the row to be restored refers to, but that aren't there."""
        for field, part in _REFERENCES.items():
            target = (change.before or {}).get(field)
            if target is not None and self.get(part, target) is None:
                yield part, target

    def revert(self, change: RowChange) -> RowChange:
        """What puts back what was before a change."""
        now = self.get(change.part, change.name)
        row = change.before
        if change.before is not None and now is not None:
            row = {**now, **{field: change.before.get(field) for field in _changed_fields(change)}}
        self._rows[change.part].pop(change.name, None)
        if row is not None:
            self._rows[change.part][change.name] = row
        return RowChange(change.part, now, row)


def _found(dataset: OffsideDataset, part: str, names: set[str]) -> Iterator[tuple[str, Row]]:
    """The rows of these names; files that hold none of them are read by their ids alone."""
    import polars as pl

    key = id_column(part)
    if not names:
        return
    for stored in [part] if part in TABLES else dataset.record_parts():
        if stored in dataset.parts() and not names.isdisjoint(dataset.frame(stored, [key])[key]):
            for batch in dataset.batches(stored):
                for row in rows_of(batch.filter(pl.col(key).is_in(names)), dataset.pictures):
                    yield row[key], row


def _record_row(record: Record | None) -> Row | None:
    return None if record is None else record.to_row()


def _changed_fields(change: RowChange) -> list[str]:
    before, after = change.before or {}, change.after or {}
    fields = [field for field in _features(change.part) if field != "content_hash"]
    return [field for field in fields if not _same(before.get(field), after.get(field))]


def _plain(value: Any) -> Any:
    """A field as a file takes it."""
    return value if not isinstance(value, StoredImage | EncodedImage) else {"bytes": value.bytes, "path": value.path}


def _same(a: Any, b: Any) -> bool:
    """Whether two values of a field are equal; pictures by what they hold, wherever they lie."""
    return bool(_plain(a) == _plain(b))


def _features(part: str) -> Any:
    return features_of(part if part in TABLES else "multimodal")


def _load(folder: Path, decision_id: str) -> list[RowChange]:
    """The changes of a decision; none if nothing is kept of it."""
    changes = []
    for part in PARTS:
        before, after = (
            {row[id_column(part)]: row for row in _kept(folder, decision_id, side, part)}
            for side in ("before", "after")
        )
        changes += [RowChange(part, before.get(name), after.get(name)) for name in {**before, **after}]
    return changes


def _touched(folder: Path, decision_id: str) -> set[tuple[str, str]]:
    """Part and id of each row that a decision touched."""
    return {
        (part, row[id_column(part)])
        for part in PARTS
        for side in ("before", "after")
        for row in _kept(folder, decision_id, side, part, columns=[id_column(part)])
    }


def _kept(folder: Path, decision_id: str, side: str, part: str, columns: list[str] | None = None) -> list[Row]:
    import pyarrow.parquet as pq

    path = work_folder(folder, _UNDO, decision_id) / f"{side}-{part}.parquet"
    return pq.read_table(path, columns=columns, partitioning=None).to_pylist() if path.is_file() else []
