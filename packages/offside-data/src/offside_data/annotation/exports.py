"""What an export of Label Studio says about a dataset: who said what of which record, without names."""

from __future__ import annotations

import codecs
import dataclasses
import datetime
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_data.annotation.answers import NOBODY, RecordJudgement, annotation_id, read_results
from offside_data.annotation.people import Annotator, KeyFile, people_of
from offside_data.annotation.tasks import asked_hash, parse_key
from offside_data.annotation.withdrawn import Present, SeenTasks, entry
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row
from offside_data.errors import UsageError
from offside_data.parsing import parse_json

_OVERLAP = datetime.timedelta(minutes=2)
"""What was touched so shortly before the last one seen is pulled again: it may have been written after it."""
_MOST_REMARKS = 1_000
_HALF_LETTER = re.compile(rb"\\u[dD][89a-fA-F]")
"""In JSON, half of a letter that was written as two halves; alone, it is none."""


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
        withdrawn: Annotations that the dataset had, and that were deleted on the server since: they stay as such, and
            count no more.
        deleted: Annotations whose tasks the server has no more; they count.
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
    withdrawn: int = 0
    deleted: int = 0
    remarks: list[str] = field(default_factory=list)
    decision: Row | None = None

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where annotations come from.

    Args:
        name: For people, and for the mark up to which all were pulled.
        server: Whose numbers of users they have.
        users: Who these are.
        marked: Whether it is remembered until when all were pulled.
        present: What the project has; without it, nothing counts as deleted.
        withdraw_deleted: Whether annotations of deleted tasks are withdrawn.
    """

    name: str
    server: str
    users: Mapping[str, Annotator]
    marked: bool = True
    present: Present | None = None
    withdraw_deleted: bool = False


def parsed(content: bytes, origin: Origin) -> list[Any]:
    """The tasks of an export.

    Raises:
        UsageError: If it is none.
    """
    try:
        tasks = parse_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        kind = "UTF-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else f"byte {error.start + 1:,}"
        raise UsageError(f"{origin.name}: not text in UTF-8 ({kind}). Export the project as JSON again.") from None
    except ValueError as error:
        if not content.strip():
            raise UsageError(f"{origin.name}: is empty. Export the project as JSON.") from None
        raise UsageError(
            f"{origin.name}: not JSON: {error}. Export the project as JSON (not JSON-MIN or CSV)."
        ) from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UsageError(f"{origin.name}: must be a list of tasks, as Label Studio exports it as JSON.")
    return _storable(tasks) if _HALF_LETTER.search(content) else tasks


def _storable(tasks: list[Any]) -> list[Any]:
    """The same without halves of letters, which JSON may hold and no file."""
    whole = json.dumps(tasks, ensure_ascii=False).encode("utf-8", "replace")
    return list(parse_json(whole.decode("utf-8")))


@dataclass(frozen=True, slots=True)
class ExportedJudgements:
    """What an export has.

    Args:
        said: What was said, by record.
        tasks: The ids of what was said, by task.
    """

    said: Mapping[str, Sequence[RecordJudgement]]
    tasks: SeenTasks


def judgements_in(
    tasks: Sequence[Mapping[str, Any]], dataset: OffsideDataset, origin: Origin, keys: KeyFile, report: PullReport
) -> tuple[ExportedJudgements, str]:
    """What was said, and until when tasks were touched.

    Args:
        tasks: An export's.
        dataset: The dataset.
        origin: Where they come from.
        keys: Gets the annotators that it doesn't have.
        report: Gets what was found.

    Raises:
        UsageError: If they are a file's, and none is of the dataset.
    """
    ids = {name for part in dataset.record_parts() for name in dataset.frame(part, ["record_id"])["record_id"]}
    found: dict[str, dict[str, RecordJudgement]] = defaultdict(dict)
    of_tasks: dict[str, dict[str, Any]] = {}
    until = ""
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
            remark(report, f"task {task.get('id')}: the dataset has no record {key[0]} any more; left out.")
            continue
        listed = [_mapping(said) for said in annotations] if isinstance(annotations, list) else []
        if listed and meta.get("offside_asked") not in (None, asked_hash(data)):
            remark(
                report,
                f"record {key[0]}: the texts of task {task.get('id')} were changed on the server; what was said of "
                "them is kept, not counted.",
            )
            key = (key[0], "", key[2])  # What was shown isn't what the record says.
        read = [_judgement(said, task, key, origin, keys, report) for said in listed]
        numbers = {
            r.id: s["id"] for r, s in zip(read, listed, strict=True) if r is not None and type(s.get("id")) is int
        }
        of_tasks[str(task.get("id"))] = entry(key[0], numbers)
        for said in filter(None, read):
            known = found[key[0]].get(said.id)
            if known is not None and known != said:
                remark(report, f"record {key[0]}: the annotation {said.id} is there twice; what is later counts.")
            if known is None or said.at >= known.at:
                found[key[0]][said.id] = said
    _require_ours(tasks, dataset, origin, report)
    if tasks and not report.tasks and not origin.marked:
        remark(report, "none of its tasks has an annotation: is it what was pushed, and not an export?")
    scrub = keys.scrubber(origin.users.values())  # Only now everybody is known who may be named.
    said_of = {name: [_without_names(said, scrub) for said in by.values()] for name, by in found.items()}
    report.annotators = tuple(sorted({said.annotator for listed in said_of.values() for said in listed}))
    return ExportedJudgements(said_of, of_tasks), _before(until)


def _require_ours(
    tasks: Sequence[Mapping[str, Any]], dataset: OffsideDataset, origin: Origin, report: PullReport
) -> None:
    """A file in which nothing is of the dataset is the wrong file."""
    if origin.marked or not tasks or report.foreign < len(tasks):
        return
    named = sorted({_shown(str(_mapping(task.get("data")).get("dataset") or "")[:60]) for task in tasks} - {""})
    told = f"They are of the dataset {', '.join(named[:3])}." if named else "Their data has no key of ours."
    raise UsageError(
        f"{origin.name}: none of its {len(tasks):,} tasks is of the dataset {dataset.name}. {told} Name a JSON export "
        "(not JSON-MIN) of the project that its tasks were pushed to, or imported into."
    )


def _without_names(said: RecordJudgement, scrub: Callable[[str], str]) -> RecordJudgement:
    """The same with people's names replaced, wherever annotators write freely."""
    comment = said.answers.get("comment")
    if comment is None and not said.unknown:
        return said
    answers = {**said.answers, "comment": scrub(comment)} if isinstance(comment, str) else said.answers
    return dataclasses.replace(said, answers=answers, unknown=_texts_changed(said.unknown, scrub))


def _texts_changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _texts_changed(part, change) for name, part in value.items()}
    return [_texts_changed(part, change) for part in value] if isinstance(value, list) else value


def _judgement(
    said: Mapping[str, Any],
    task: Mapping[str, Any],
    key: tuple[str, str, int],
    origin: Origin,
    keys: KeyFile,
    report: PullReport,
) -> RecordJudgement | None:
    if not isinstance(said.get("result"), list):
        remark(report, f"task {task.get('id')}: an annotation without results; left out.")
        return None
    report.annotations += 1
    skipped = bool(said.get("was_cancelled"))
    report.skipped += skipped
    answers, unknown = read_results(said["result"])
    if unknown:
        told = ", ".join(f"{name}: {value!r}" for name, value in unknown.items())[:200]
        remark(
            report, f"record {key[0]}: an annotation says what the interface doesn't offer ({told}); kept, not counted."
        )
    user = said.get("completed_by")
    return RecordJudgement(
        annotator=NOBODY if user is None else keys.pseudonym(_person(user, origin)),
        at=str(said.get("updated_at") or said.get("created_at") or ""),
        answers=answers,
        id=annotation_id(origin.server, task.get("id"), said),
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
    return value if isinstance(value, dict) else {}


def remark(report: PullReport, text: str) -> None:
    """Note something odd; of too many only the first."""
    if len(report.remarks) < _MOST_REMARKS:
        report.remarks.append(_shown(text))


def _shown(text: str) -> str:
    """A text that somebody else wrote, as a terminal may show it: without what moves the cursor or turns letters."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _before(until: str) -> str:
    try:
        moment = datetime.datetime.fromisoformat(until)
    except ValueError:
        return ""
    return (moment - _OVERLAP).astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
