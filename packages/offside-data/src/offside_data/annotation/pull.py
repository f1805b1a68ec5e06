"""Bring annotations home: every one lands in its record, under a pseudonym, once, however often it is pulled.

A snapshot that the server was asked for is written down before it is waited for, so that a pull that was killed goes on
with it. Annotations, the key of the pseudonyms and the mark up to which everything was pulled appear together.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.annotation.answers import RecordJudgement, merged, read_results
from offside_data.annotation.people import Annotator, KeyFile, people_of
from offside_data.annotation.project import AnnotationProject, find_project
from offside_data.annotation.server import RefusedError, connect
from offside_data.annotation.tasks import parse_key
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
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.progress import log

KIND = "annotations"
"""Kind of the decisions that say which records got annotations."""
_PULLED, _PENDING = "pulled.json", "pending.json"
_OVERLAP = datetime.timedelta(minutes=2)
"""What was touched so shortly before the last one seen is pulled again: it may have been written after it."""
_MOST_REMARKS = 1_000
_FILES = "exported files"
"""Whose numbers of users exported files have: they don't say, and most come from one server."""


@dataclass(kw_only=True)
class PullReport:
    """What was pulled.

    Args:
        tasks: Tasks that were looked at.
        annotations: Annotations in them, skipped ones included.
        skipped: Of these, those without an answer.
        new: Annotations that the dataset didn't have, or had otherwise.
        records: Records that got some.
        annotators: Pseudonyms of those who made them.
        foreign: Tasks that aren't of this dataset.
        remarks: What is odd, for people.
        decision: The decision that says so; null if nothing was written.
    """

    tasks: int = 0
    annotations: int = 0
    skipped: int = 0
    new: int = 0
    records: int = 0
    annotators: tuple[str, ...] = ()
    foreign: int = 0
    remarks: list[str] = field(default_factory=list)
    decision: Row | None = None

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def pull(
    folder: str | Path, *, url: str | None = None, project: int | None = None, everything: bool = False
) -> PullReport:
    """Pull annotations from a Label Studio server: those since the last pull.

    Args:
        folder: The dataset.
        url: The server; default: what the environment names.
        project: Number of the project, if it isn't to be found by its mark.
        everything: All of them, also what was pulled before, e.g. after an `undo`.

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
    users = people_of(server.get("/api/users/"), server.url)
    area = work_folder(dataset.path, ANNOTATION)
    left = _read_json(area / _PENDING)
    report = PullReport()
    if left.get("project") == found.address:
        log(f"going on with the snapshot {left['export']}, which an earlier pull began.")
        content = _snapshot(found, int(left["export"]))
        if content is not None:
            report = land(dataset.path, content, Origin(found.address, server.url, users))
    since = "" if everything else _read_json(area / _PULLED).get(found.address, "")
    number = found.begin_export(since)
    write_json(area / _PENDING, {"project": found.address, "export": number}, durable=True)
    content = _snapshot(found, number)
    if content is None:
        raise AnnotationError(f"{found.address}: the snapshot {number} is gone. Run the command again.")
    last = land(dataset.path, content, Origin(found.address, server.url, users))
    (area / _PENDING).unlink(missing_ok=True)
    found.end_export(number)
    return _sum(report, last)


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
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}. Name a JSON export of Label Studio.") from error
    return land(open_dataset(folder).path, content, Origin(path.name, _FILES, {}, marked=False))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where annotations come from.

    Args:
        name: For people, and for the mark up to which all were pulled.
        server: Whose numbers of users they have.
        users: Who these are.
        marked: Whether it is remembered until when all were pulled.
    """

    name: str
    server: str
    users: Mapping[str, Annotator]
    marked: bool = True


@changes()
def land(folder: Path, content: bytes, origin: Origin) -> PullReport:
    """Put annotations into the records that they are about, all or nothing.

    Args:
        folder: The dataset.
        content: An export of Label Studio in JSON.
        origin: Where it comes from.

    Raises:
        UsageError: If it is no such export.
    """
    dataset = open_dataset(folder)
    keys, report = KeyFile(dataset.path), PullReport()
    found, until = _judgements(_parsed(content, origin), dataset, origin, keys, report)
    changed = _changed(dataset, found, report)
    report.records = len(changed)
    area = work_folder(dataset.path, ANNOTATION)
    marks = {**_read_json(area / _PULLED), **({origin.name: until} if until and origin.marked else {})}
    if not changed:
        if marks != _read_json(area / _PULLED):
            write_json(area / _PULLED, marks)
        return report
    report.decision = _decision(changed, origin, report)
    _write(dataset, changed, report.decision, keys, marks)
    return report


def _sum(first: PullReport, second: PullReport) -> PullReport:
    """What two pulls did together."""
    for name in ("tasks", "annotations", "skipped", "new", "records", "foreign"):
        setattr(second, name, getattr(first, name) + getattr(second, name))
    second.annotators = tuple(sorted({*first.annotators, *second.annotators}))
    second.remarks = list(dict.fromkeys([*first.remarks, *second.remarks]))
    second.decision = second.decision or first.decision
    return second


def _snapshot(project: AnnotationProject, number: int) -> bytes | None:
    """A snapshot; null if the server has none of this number any more."""
    try:
        return project.export(number)
    except RefusedError as refused:
        if refused.status != 404:
            raise
        return None


# ---------------------------------------------------------------------------------------------
# Reading


def _parsed(content: bytes, origin: Origin) -> list[Any]:
    try:
        tasks = parse_json(content.decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(
            f"{origin.name}: not JSON: {error}. Export the project as JSON (not JSON-MIN or CSV)."
        ) from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UsageError(f"{origin.name}: must be a list of tasks, as Label Studio exports it as JSON.")
    return tasks


def _judgements(
    tasks: Iterable[Mapping[str, Any]], dataset: OffsideDataset, origin: Origin, keys: KeyFile, report: PullReport
) -> tuple[dict[str, list[RecordJudgement]], str]:
    """What was said, by record, and until when tasks were touched."""
    ids = {name for part in dataset.record_parts() for name in dataset.frame(part, ["record_id"])["record_id"]}
    found: dict[str, list[RecordJudgement]] = defaultdict(list)
    until = ""
    seen: set[str] = set()
    for task in tasks:
        annotations = task.get("annotations", task.get("completions"))
        report.tasks += bool(annotations)
        until = max(until, str(task.get("updated_at") or ""))
        data, meta = _mapping(task.get("data")), _mapping(task.get("meta"))
        key = parse_key(meta.get("offside_key", data.get("key")))
        if key is None or data.get("dataset") != dataset.name:
            report.foreign += 1
            continue
        if key[0] not in ids:
            _remark(report, f"task {task.get('id')}: the dataset has no record {key[0]} any more; left out.")
            continue
        for said in annotations if isinstance(annotations, list) else []:
            judgement = _judgement(_mapping(said), task, key, origin, keys, report)
            if judgement is not None and judgement.id not in seen:
                seen.add(judgement.id)
                found[key[0]].append(judgement)
    report.annotators = tuple(sorted({said.annotator for listed in found.values() for said in listed}))
    return found, _before(until)


def _judgement(
    said: Mapping[str, Any],
    task: Mapping[str, Any],
    key: tuple[str, str, int],
    origin: Origin,
    keys: KeyFile,
    report: PullReport,
) -> RecordJudgement | None:
    if not isinstance(said.get("result"), list):
        _remark(report, f"task {task.get('id')}: an annotation without results; left out.")
        return None
    report.annotations += 1
    skipped = bool(said.get("was_cancelled"))
    report.skipped += skipped
    answers, unknown = read_results(said["result"])
    if unknown:
        told = ", ".join(f"{name}: {value!r}" for name, value in unknown.items())[:200]
        _remark(
            report, f"record {key[0]}: an annotation says what the interface doesn't offer ({told}); kept, not counted."
        )
    annotator = keys.pseudonym(_person(said.get("completed_by"), origin))
    if isinstance(answers.get("comment"), str):
        answers["comment"] = keys.without_names(str(answers["comment"]))
    number = said.get("unique_id") or f"{origin.server}#{task.get('id')}#{said.get('id')}"
    return RecordJudgement(
        annotator=annotator,
        at=str(said.get("updated_at") or said.get("created_at") or ""),
        answers=answers,
        id=str(number),
        shown=key[1],
        round=key[2],
        skipped=skipped,
        unknown=unknown,
    )


def _person(user: Any, origin: Origin) -> Annotator:
    """Who made an annotation: a number in most exports, everything in some."""
    if isinstance(user, Mapping):
        listed = people_of([user], origin.server)
        return next(iter(listed.values()), Annotator(server=origin.server, user=str(user.get("email") or "?")))
    return origin.users.get(str(user)) or Annotator(server=origin.server, user=str(user))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _remark(report: PullReport, text: str) -> None:
    if len(report.remarks) < _MOST_REMARKS:
        report.remarks.append(text)


def _before(until: str) -> str:
    try:
        moment = datetime.datetime.fromisoformat(until)
    except ValueError:
        return ""
    return (moment - _OVERLAP).astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def _read_json(path: Path) -> dict[str, Any]:
    """A small file of ours; what isn't readable counts for nothing, for all in it can be had again."""
    try:
        told = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


# ---------------------------------------------------------------------------------------------
# Writing


def _changed(
    dataset: OffsideDataset, found: Mapping[str, Sequence[RecordJudgement]], report: PullReport
) -> list[RowChange]:
    """The records that get annotations, as they are and will be."""
    import polars as pl

    if not found:
        return []
    wanted = pl.Series(list(found), dtype=pl.String)
    changed = []
    for rows in whole_rows(dataset, pl.col("record_id").is_in(wanted.implode()), ["record_id"]):
        for row in rows_of(rows.drop("image"), dataset.pictures):
            before = [dict(annotation) for annotation in row["annotations"] or ()]
            after = merged(before, found[row["record_id"]])
            if after != before:
                report.new += sum(annotation not in before for annotation in after)
                changed.append(
                    RowChange("records", {**row, "image": None}, {**row, "annotations": after, "image": None})
                )
    return changed


def _decision(changed: Sequence[RowChange], origin: Origin, report: PullReport) -> Row:
    records = [
        {"record_id": change.name, "annotations": len((change.after or {})["annotations"])} for change in changed
    ]
    what = {"from": origin.name, "annotators": list(report.annotators), "records": records}
    return make_decision(KIND, what, f"annotated: {report.new} annotations", command="annotate pull", when=now())


def _write(
    dataset: OffsideDataset, changed: Sequence[RowChange], decision: Row, keys: KeyFile, marks: Mapping[str, str]
) -> None:
    import polars as pl

    frame = pl.DataFrame(
        {"record_id": [c.name for c in changed], "annotations": [(c.after or {})["annotations"] for c in changed]},
        schema={name: frame_schema("multimodal")[name] for name in ("record_id", "annotations")},
    )

    def also(staged: Path) -> None:
        save_undo(staged, decision["id"], changed)
        keys.write_into(staged)
        if marks:
            write_json(work_folder(staged, ANNOTATION, _PULLED), dict(marks))

    with change_dataset(dataset) as change:
        change.update(frame)
        change.decide([decision])
        change.also_write(also)
