"""Bring annotations home: every one lands in its record, under a pseudonym, once, however often it is pulled.

A snapshot that the server was asked for is written down before it is waited for, so that a pull that was killed goes on
with it. Annotations, the key of the pseudonyms and the mark up to which everything was pulled appear together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.annotation.answers import RecordJudgement, judgements_of, merged
from offside_data.annotation.exports import Origin, judgements_in, parsed, remark
from offside_data.annotation.exports import PullReport as PullReport
from offside_data.annotation.people import KeyFile, people_of
from offside_data.annotation.project import AnnotationProject, Export, find_project
from offside_data.annotation.server import RefusedError, connect
from offside_data.annotation.withdrawn import (
    COUNTS,
    SEEN,
    Gone,
    compare,
    counts_in,
    present,
    seen_tasks,
    task_counts,
)
from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision, now
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder
from offside_data.dataset.replacing import ANNOTATION
from offside_data.dataset.rows import rows_of
from offside_data.dataset.storage import Row, frame_schema
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import RowChange, save_undo
from offside_data.editing.reading import whole_rows
from offside_data.errors import AnnotationError, UsageError
from offside_data.figures import counted
from offside_data.files import write_json
from offside_data.limits import LIST
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_bounded, read_small

if TYPE_CHECKING:
    import polars as pl

KIND = "annotations"
"""Kind of the decisions that say which records got annotations."""
_PULLED, _PENDING = "pulled.json", "pending.json"
_FILES = "exported files"
"""Whose numbers of users exported files have: they don't say, and most come from one server."""


def pull(
    folder: str | Path,
    *,
    url: str | None = None,
    project: int | None = None,
    everything: bool = False,
    withdraw_deleted: bool = False,
) -> PullReport:
    """Pull annotations from a Label Studio server: those since the last pull.

    Args:
        folder: The dataset.
        url: The server; default: what the environment names.
        project: Number of the project, if it isn't to be found by its mark.
        everything: All of them, also what was pulled before, e.g. after an `undo`.
        withdraw_deleted: Whether annotations whose tasks were deleted on the server are withdrawn; those that were
            deleted themselves always are.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If there is no project of the dataset.
        AnnotationError: If the server can't be reached or refuses. Nothing was changed then.
    """
    server = connect(url)
    dataset = open_dataset(folder)
    found = find_project(server, dataset.name, project)
    if found is None:
        raise UsageError(f"{server.url} has no project of the dataset {dataset.name}; `annotate push` makes one.")
    users = people_of(server.listed("/api/users/"), server.url)
    area = work_folder(dataset.path, ANNOTATION)
    left = _pending(area, found)
    report = PullReport()
    if left is not None:
        log(f"going on with the snapshot {left.number}, which an earlier pull began.")
        content = _snapshot(found, left)
        if content is not None:
            origin = Origin(found.address, server.url, users)
            report = land(dataset.path, parsed(content, origin), origin)
    since = "" if everything else str(_read_json(area / _PULLED).get(found.address, ""))
    export = found.begin_export(since)
    write_json(area / _PENDING, {"project": found.address, "export": export.number, "view": export.view}, durable=True)
    content = _snapshot(found, export)
    if content is None:
        raise AnnotationError(f"{found.address}: the snapshot {export.number} is gone. Run the command again.")
    origin = Origin(found.address, server.url, users, withdraw_deleted=withdraw_deleted)
    tasks = parsed(content, origin)
    seen = seen_tasks(_read_json(area / SEEN).get(found.address))
    known = task_counts(_read_json(area / COUNTS).get(found.address))
    there = present(found, seen, known, counts_in(tasks), whole=not since)
    last = land(dataset.path, tasks, dataclasses.replace(origin, present=there))
    (area / _PENDING).unlink(missing_ok=True)
    for done in filter(None, (left, export)):
        found.end_export(done)
    return _sum(report, last)


def _pending(area: Path, project: AnnotationProject) -> Export | None:
    """The snapshot that an earlier pull began and didn't end."""
    left = _read_json(area / _PENDING)
    number, view = left.get("export"), left.get("view", 0)
    if left.get("project") != project.address or type(number) is not int or type(view) is not int:
        return None
    return Export(number=number, view=view)


def pull_from_file(folder: str | Path, file: str | Path) -> PullReport:
    """Take annotations from a file as Label Studio exports it (JSON).

    Args:
        folder: The dataset.
        file: The file.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If the file can't be read, or isn't such an export.
    """
    path = Path(file)
    try:
        content = read_bounded(path, LIST, error=UsageError)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}. Name a JSON export of Label Studio.") from error
    origin = Origin(path.name, _FILES, {}, marked=False)
    return land(open_dataset(folder).path, parsed(content, origin), origin)


@changes()
def land(folder: Path, tasks: Sequence[Mapping[str, Any]], origin: Origin) -> PullReport:
    """Put annotations into the records that they are about, all or nothing.

    Args:
        folder: The dataset.
        tasks: An export's.
        origin: Where they come from.

    Raises:
        UsageError: If they are a file's, and none is of the dataset.
    """
    dataset = open_dataset(folder)
    area = work_folder(dataset.path, ANNOTATION)
    keys, report, before = KeyFile(dataset.path), PullReport(), _read_json(area / SEEN)
    found, until = judgements_in(tasks, dataset, origin, keys, report)
    gone = compare(
        seen_tasks(before.get(origin.name)), found.tasks, origin.present, withdraw_deleted=origin.withdraw_deleted
    )
    _tell_deleted(gone, origin, report)
    changed = _changed(dataset, found.said, gone.withdrawn, origin, report)
    report.records = len(changed)
    marks: dict[str, Any] = {}
    if origin.marked:
        marks = {_PULLED: _read_json(area / _PULLED), SEEN: {**before, origin.name: gone.seen}}
        marks[_PULLED] |= {origin.name: until} if until else {}
        counts = _read_json(area / COUNTS)
        if origin.present is not None:
            marks[COUNTS] = {**counts, origin.name: origin.present.counts}
        elif (known := task_counts(counts.get(origin.name))) is not None:
            marks[COUNTS] = {**counts, origin.name: {**known, **counts_in(tasks)}}
    if not changed:
        for name, told in marks.items():
            if told != _read_json(area / name):
                write_json(area / name, told)
        return report
    report.decision = _decision(changed, origin, report)
    _write(dataset, changed, report.decision, keys, marks)
    return report


def _tell_deleted(gone: Gone, origin: Origin, report: PullReport) -> None:
    report.deleted = gone.left
    if gone.left:
        remark(
            report,
            f"{gone.left:,} annotations are of {gone.tasks:,} tasks that {origin.name} has no more. They still count; "
            "pull --withdraw-deleted withdraws them.",
        )


def _sum(first: PullReport, second: PullReport) -> PullReport:
    """What two pulls did together."""
    for name in ("tasks", "annotations", "skipped", "new", "records", "foreign", "withdrawn"):
        setattr(second, name, getattr(first, name) + getattr(second, name))
    second.annotators = tuple(sorted({*first.annotators, *second.annotators}))
    second.remarks = list(dict.fromkeys([*first.remarks, *second.remarks]))
    second.decision = second.decision or first.decision
    return second


def _snapshot(project: AnnotationProject, export: Export) -> bytes | None:
    """A snapshot; null if the server has none of this number any more."""
    try:
        return project.export(export.number)
    except RefusedError as refused:
        if refused.status != 404:
            raise
        return None


def _read_json(path: Path) -> dict[str, Any]:
    """A small file of ours; what isn't readable counts for nothing, for all in it can be had again."""
    try:
        told = parse_json(read_small(path))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


# ---------------------------------------------------------------------------------------------
# Writing


def _changed(
    dataset: OffsideDataset,
    found: Mapping[str, Sequence[RecordJudgement]],
    gone: Mapping[str, Collection[str]],
    origin: Origin,
    report: PullReport,
) -> list[RowChange]:
    """The records that get annotations, as they are and will be."""
    wanted = {**found, **gone}
    news = {}
    for part in dataset.record_parts() if wanted else ():
        told = dataset.frame(part, ["record_id", "annotations"])
        for name, before in told.filter(_named(wanted)).select("record_id", "annotations").iter_rows():
            after = merged(before, found.get(name, ()), gone.get(name, ()), current=origin.marked)
            if after != (before or []):
                news[name] = after
                withdrawn = _withdrawn(after) - _withdrawn(before or ())
                report.withdrawn += withdrawn
                report.new += sum(annotation not in (before or ()) for annotation in after) - max(withdrawn, 0)
    return [
        RowChange("records", {**row, "image": None}, {**row, "annotations": news[row["record_id"]], "image": None})
        for rows in (whole_rows(dataset, _named(news), ["record_id"]) if news else ())
        for row in rows_of(rows.drop("image"), dataset.pictures)
    ]


def _named(names: Iterable[str]) -> pl.Expr:
    """Whether a record is one of these."""
    import polars as pl

    return pl.col("record_id").is_in(pl.Series(list(names), dtype=pl.String).implode())


def _withdrawn(annotations: Iterable[Mapping[str, str]]) -> int:
    return sum(said.withdrawn for said in judgements_of(annotations))


def _decision(changed: Sequence[RowChange], origin: Origin, report: PullReport) -> Row:
    records = [
        {"record_id": change.name, "annotations": len((change.after or {})["annotations"])} for change in changed
    ]
    what: Row = {"from": origin.name, "annotators": list(report.annotators), "records": records}
    told = f"annotated: {counted(report.new, 'annotation')}"
    if report.withdrawn:
        what["withdrawn"] = report.withdrawn
        told += f", {report.withdrawn} withdrawn"
    return make_decision(KIND, what, told, command="annotate pull", when=now())


def _write(
    dataset: OffsideDataset, changed: Sequence[RowChange], decision: Row, keys: KeyFile, marks: Mapping[str, Any]
) -> None:
    import polars as pl

    frame = pl.DataFrame(
        {"record_id": [c.name for c in changed], "annotations": [(c.after or {})["annotations"] for c in changed]},
        schema={name: frame_schema("multimodal")[name] for name in ("record_id", "annotations")},
    )

    def also(staged: Path) -> None:
        save_undo(staged, decision["id"], changed)
        keys.write_into(staged)
        for name, told in marks.items():
            write_json(work_folder(staged, ANNOTATION, name), told)

    with change_dataset(dataset) as change:
        change.update(frame)
        change.decide([decision])
        change.also_write(also)
