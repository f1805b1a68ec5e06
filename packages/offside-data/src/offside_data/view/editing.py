"""A view that is served with a form: what the form asks for is done as `edit` and `undo` do it, one at a time."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, get_args

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.storage import Row
from offside_data.dataset.undo import undo
from offside_data.edit import EditReport, edit_rows
from offside_data.editing.columns import CLEAR, KEY, written
from offside_data.editing.reading import whole_rows
from offside_data.errors import UsageError
from offside_data.files import temporary_folder
from offside_data.schema import SPLITS, RumorChannel, Veracity
from offside_data.view.building import PAGE, write_view
from offside_data.view.details import filled_fields

REASON = "edited in the view"
"""Why a record was changed, if nobody says."""
_OFFLINE, _SERVED = "default-src 'none';", "default-src 'none'; connect-src 'self';"


class EditSession:
    """The view of a dataset in a temporary folder, and what is changed through it.

    Used in a `with` block: the view is built when it begins. When it ends, a change that is under way is written
    before, and nothing is changed after.
    """

    def __init__(self, ref: str | Path, *, by: str = "", seed: int = 0) -> None:
        """Find the dataset.

        Args:
            ref: The dataset.
            by: Pseudonym of whoever decides.
            seed: Seed of wrong answers that are made anew; that of `questions`.

        Raises:
            DatasetReferenceError: If there is no such dataset.
        """
        self._dataset = open_dataset(ref).path
        self._by, self._seed = by, seed
        self._lock = threading.Lock()
        self._decisions: list[str] = []
        """Saved here and not taken back, the last one last."""
        self._changed: dict[str, Row] = {}
        """What records that were changed since the view was built are now, by id."""
        self._home = temporary_folder(self)
        self.folder = self._home
        """Where the files of the view lie."""

    def __enter__(self) -> Self:
        """Build the view.

        Raises:
            DatasetError: If a file of the dataset isn't readable.
        """
        try:
            self.rebuild({})
        except BaseException:
            shutil.rmtree(self._home)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Delete the view."""
        self._lock.acquire()  # For good.
        shutil.rmtree(self._home)

    def edit(self, asked: Mapping[str, Any]) -> Row:
        """Change records, or say what would change.

        Args:
            asked: `rows`, each with `record_id` and the fields to change: text as it is to be, empty to empty the
                field; `dry_run`: only say what would change; `reason`.

        Returns:
            `changed`: a record, what each field was and is, and the record that it follows; `remade`: forms that were
            made anew, by record; `notes`; `decision`, the last one that was saved here; `records`: what the changed
            ones are now, by id.

        Raises:
            OffsideError: As `edit_rows`; also if `asked` has another form.
        """
        rows, dry_run = _rows(asked.get("rows")), asked.get("dry_run", False)
        reason = asked.get("reason", "")
        if not isinstance(dry_run, bool) or not isinstance(reason, str):
            raise UsageError("`dry_run` must be true or false, `reason` a text.")
        with self._lock:
            report = edit_rows(
                self._dataset, rows, dry_run=dry_run, reason=reason.strip() or REASON, by=self._by, seed=self._seed
            )
            if report.decision is not None:
                self._decisions.append(report.decision["id"])
            changed = {} if dry_run else self._read(change.record_id for change in report.changes)
            return {**_told(report), "decision": self._last, "records": changed}

    def undo(self, asked: Mapping[str, Any]) -> Row:
        """Take back the last decision that was saved here.

        Args:
            asked: `decision`, its id.

        Returns:
            `decision`: the last one before that, null if none; `records`: what the changed ones are now, by id.

        Raises:
            UsageError: If another one is the last.
            DatasetError: If something was changed since by other means.
        """
        with self._lock:
            decision = asked.get("decision")
            if not self._decisions or decision != self._decisions[-1]:
                raise UsageError(f"{decision} isn't the last decision saved here; `offside-data undo` takes any back.")
            done = undo(self._dataset, self._decisions[-1]).decision
            self._decisions.pop()
            return {"decision": self._last, "records": self._read(done["what"]["records"])}

    def state(self, asked: Mapping[str, Any]) -> Row:
        """What a page that is loaded later must know.

        Args:
            asked: Nothing.

        Returns:
            `decision`: the last one that was saved here and not taken back, null if none; `records`: what those that
            were changed since the view was built are now, by id.
        """
        with self._lock:
            return {"decision": self._last, "records": dict(self._changed)}

    def rebuild(self, asked: Mapping[str, Any]) -> Row:
        """Build the view anew, from the dataset as it is; what was served before goes.

        Args:
            asked: Nothing.

        Raises:
            DatasetError: If a file of the dataset isn't readable.
        """
        with self._lock:
            dataset = open_dataset(self._dataset)
            folder = Path(tempfile.mkdtemp(dir=self._home))
            write_view(dataset, folder, {"editing": _words(dataset)})
            page = (folder / PAGE).read_text(encoding="utf-8")
            (folder / PAGE).write_text(page.replace(_OFFLINE, _SERVED), encoding="utf-8", newline="\n")
            before, self.folder = self.folder, folder
            self._changed.clear()
            if before != self._home:
                shutil.rmtree(before, ignore_errors=True)
        return {}

    @property
    def _last(self) -> str | None:
        return self._decisions[-1] if self._decisions else None

    def _read(self, names: Iterable[str]) -> dict[str, Row]:
        """Records that were changed, as they are now."""
        import polars as pl

        found = whole_rows(open_dataset(self._dataset), pl.col(KEY).is_in(list(names)), [KEY])
        rows = (row for frame in found for row in frame.drop("image").iter_rows(named=True))
        changed = {row[KEY]: filled_fields(row) for row in rows}
        self._changed |= changed
        return changed


def _words(dataset: OffsideDataset) -> Row:
    """What may stand in the fields of the form whose words are fixed."""
    return {
        "attribute": [[attribute.name, attribute.scope] for attribute in dataset.taxonomy.attributes],
        "veracity": get_args(Veracity),
        "rumor_channel": get_args(RumorChannel),
        "split": SPLITS,
    }


def _rows(given: Any) -> list[dict[str, str]]:
    """Rows as `edit_rows` takes them: there, an empty cell leaves a field as it is.

    Raises:
        UsageError: If they have another form.
    """
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise UsageError("`rows` must be a list of objects, each with `record_id` and the fields to change.")
    rows = []
    for number, row in enumerate(given, start=1):
        odd = [name for name, text in row.items() if not isinstance(text, str)]
        if odd:
            raise UsageError(f"row {number}: {', '.join(odd)} must be text; leave out what stays as it is.")
        rows.append({name: written(text, formulas=False) if text.strip() else CLEAR for name, text in row.items()})
    return rows


def _told(report: EditReport) -> Row:
    return {
        "changed": [{KEY: c.record_id, "fields": c.fields, "because": c.because} for c in report.changes],
        "remade": {change.record_id: change.remade for change in report.changes if change.remade},
        "notes": report.notes,
    }
