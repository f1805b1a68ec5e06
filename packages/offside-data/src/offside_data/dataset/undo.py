"""Take a decision back: what a command took out of a dataset, or changed in it, is kept and comes back exactly.

A command that may be taken back writes the rows it touches, as they were and as it left them, into `.offside/undo/`
together with its changes:

```python
with replaced_content(folder) as staged:
    contents.write_into(staged)
    save_undo(staged, decision["id"], changes)
```
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.contents import Contents
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.journal import replaced_content, work_folder
from offside_data.dataset.reference import local_folder, parse_reference
from offside_data.dataset.storage import TABLES, Row, id_column, write_file
from offside_data.errors import DatasetError, UsageError
from offside_data.plugins import unknown_name_message
from offside_data.schema import Record, features_of

KIND = "undo"
"""The `kind` of a decision that takes another one back."""
PARTS = ("records", *TABLES)
"""What a change may be a change of."""

_UNDO = "undo"
_REFERENCES = {"corrects": "records", "derived_from": "images", "twin_of": "images"}
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Change:
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


def record_change(before: Record | None, after: Record | None) -> Change:
    """A change of a record."""
    return Change("records", _record_row(before), _record_row(after))


def save_undo(folder: Path, decision_id: str, changes: Sequence[Change]) -> None:
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
                rows = [{column: row.get(column) for column in columns} for row in rows]
                write_file(place / f"{side}-{part}.parquet", rows, columns)


def undo(folder: str | Path, decision_id: str) -> Undone:
    """Take a decision back.

    Rows that it took out return as they were; in rows that it changed, the fields that it changed do. All other
    fields keep what later commands wrote. If the dataset wasn't changed in between, its digest is the same again.

    Raises:
        UsageError: If there is no such decision, or it was taken back before.
        DatasetError: If nothing is kept of it, or later changes build on it; lists them.
    """
    path = local_folder(parse_reference(folder))
    contents = Contents.read(path)
    decision = _find(path, contents.decisions, decision_id)
    changes = _load(path, decision_id)
    if not changes:
        raise DatasetError(
            f"{path}: nothing is kept to take decision {decision_id} ({decision['kind']}) back: it changed no row, or "
            "this copy of the dataset was made without .offside/undo."
        )
    rows = _Rows(contents)
    _require_untouched(path, contents.decisions, decision_id, changes, rows)
    reverted = [rows.revert(change) for change in changes]
    rows.store(contents)
    taken_back = make_decision(
        KIND,
        {"decision": decision_id, **{part: [c.name for c in reverted if c.part == part] for part in PARTS}},
        f"takes back: {decision['why']}",
        command=f"undo {decision_id}",
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
    )
    contents.decisions.append(taken_back)
    with replaced_content(path) as staged:
        contents.write_into(staged)
        save_undo(staged, taken_back["id"], reverted)
    return Undone(
        decision=taken_back,
        returned=sum(c.before is None for c in reverted),
        changed=sum(c.before is not None and c.after is not None for c in reverted),
        removed=sum(c.after is None for c in reverted),
    )


def undoable(folder: Path, decisions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the decisions that hold and that something is kept of, oldest first."""
    holding = _holding(decisions)
    return [d["id"] for d in decisions if d.get("id") in holding and work_folder(folder, _UNDO, d["id"]).is_dir()]


# ---------------------------------------------------------------------------------------------
# Decisions


def _find(folder: Path, decisions: Sequence[Row], decision_id: str) -> Row:
    found = next((d for d in decisions if d.get("id") == decision_id), None)
    if found is None:
        known = undoable(folder, decisions)[-_SHOWN:]
        raise UsageError(f"{folder}: {unknown_name_message('decision', decision_id, known)}")
    if decision_id not in _holding(decisions):
        raise UsageError(f"{folder}: decision {decision_id} was taken back already; to apply it anew, undo that undo.")
    return found


def _holding(decisions: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the decisions that weren't taken back, or whose undo was."""
    holding, undone = set(), set()
    for decision in reversed(list(decisions)):
        name = decision.get("id")
        if name in undone or name is None:
            continue
        holding.add(name)
        if decision["kind"] == KIND:
            undone.add(decision["what"]["decision"])
    return holding


def _require_untouched(
    folder: Path, decisions: Sequence[Row], decision_id: str, changes: Sequence[Change], rows: _Rows
) -> None:
    """Make sure that what a decision left is still so.

    Raises:
        DatasetError: Listing what isn't, and the later decisions that did it.
    """
    place, holding = [d.get("id") for d in decisions].index(decision_id), _holding(decisions)
    later = [d for d in decisions[place + 1 :] if d["kind"] != KIND and d.get("id") in holding]
    touched = {d["id"]: _touched(folder, d["id"]) for d in later}
    changed = {(c.part, c.name): what for c in changes if (what := rows.difference(c))}
    for change in changes:
        for target in rows.missing_targets(change):
            if any(target in names for names in touched.values()):
                changed[target] = f"is gone, but {change.name} refers to it"
    if not changed:
        return
    listed = [f"  {part[:-1]} {name}: {what}" for (part, name), what in list(changed.items())[:_SHOWN]]
    if len(changed) > _SHOWN:
        listed.append(f"  and {len(changed) - _SHOWN} more")
    builders = [f"{d['id']} ({d['kind']})" for d in later if touched[d["id"]] & changed.keys()]
    advice = (
        f"Take these decisions back first, the last one first: {', '.join(builders)}."
        if builders
        else "It was changed by commands that keep nothing to take back."
    )
    raise DatasetError(
        f"{folder}: decision {decision_id} can't be taken back, because what it left was changed since:\n"
        + "\n".join(listed)
        + f"\n{advice}"
    )


# ---------------------------------------------------------------------------------------------
# Rows


class _Rows:
    """The rows of a dataset by part and id, records as plain rows only where they are touched."""

    def __init__(self, contents: Contents) -> None:
        self._tables: dict[str, dict[str, Row]] = {
            "subjects": {row["subject_id"]: row for row in contents.subjects},
            "images": {row["image_id"]: row for row in contents.images},
        }
        self._records = {record.record_id: record for record in contents.records}

    def get(self, part: str, name: str) -> Row | None:
        if part == "records":
            return _record_row(self._records.get(name))
        return self._tables[part].get(name)

    def put(self, part: str, name: str, row: Row | None) -> None:
        if part != "records":
            table: dict[str, Any] = self._tables[part]
        else:
            table = self._records
        if row is None:
            del table[name]
        else:
            table[name] = Record.from_row(row) if part == "records" else row

    def difference(self, change: Change) -> str | None:
        """What is no longer as the change left it, in words."""
        now = self.get(change.part, change.name)
        if change.after is None:
            return None if now is None else "is there again"
        if now is None:
            return "is gone"
        changed = [f for f in _changed_fields(change) if now.get(f) != change.after.get(f)]
        return f"{', '.join(changed)} changed" if changed else None

    def missing_targets(self, change: Change) -> Iterator[tuple[str, str]]:
        """Rows that the row to be restored refers to, but that aren't there."""
        for field, part in _REFERENCES.items():
            target = (change.before or {}).get(field)
            if target is not None and self.get(part, target) is None:
                yield part, target

    def revert(self, change: Change) -> Change:
        """Put back what was before the change; returns what that changed."""
        now = self.get(change.part, change.name)
        if change.before is None or now is None:
            row = change.before
        else:
            row = {**now, **{field: change.before.get(field) for field in _changed_fields(change)}}
        self.put(change.part, change.name, row)
        return Change(change.part, now, self.get(change.part, change.name))

    def store(self, contents: Contents) -> None:
        contents.records = list(self._records.values())
        contents.subjects = list(self._tables["subjects"].values())
        contents.images = list(self._tables["images"].values())


def _record_row(record: Record | None) -> Row | None:
    return None if record is None else record.to_row()


def _changed_fields(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    fields = [field for field in _features(change.part) if field != "content_hash"]
    return [field for field in fields if before.get(field) != after.get(field)]


def _features(part: str) -> Any:
    return features_of(part if part in TABLES else "multimodal")


def _load(folder: Path, decision_id: str) -> list[Change]:
    """The changes of a decision; none if nothing is kept of it."""
    changes = []
    for part in PARTS:
        before, after = (
            {row[id_column(part)]: row for row in _kept(folder, decision_id, side, part)}
            for side in ("before", "after")
        )
        changes += [Change(part, before.get(name), after.get(name)) for name in {**before, **after}]
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
