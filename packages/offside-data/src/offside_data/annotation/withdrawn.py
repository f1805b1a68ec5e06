"""What was deleted on the server after it was pulled: such annotations are withdrawn, such tasks are told of.

An export tells what is there, not what is gone. So `.offside/annotation/seen.json` has, by project and task, the
annotations that were pulled, and `counts.json` how many each task of the project had, tasks of others included.

Whatever gets a further annotation is touched, and so in the next export. So no task can have more than was counted, and
if the project has as many annotations as all tasks together, nothing is gone: one number that the server counts by
itself saves the listing of all tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.annotation.project import AnnotationProject

SEEN, COUNTS = "seen.json", "counts.json"
_RECORD, _IDS = "record", "annotations"

SeenTasks = Mapping[str, Mapping[str, Any]]
"""By number of a task: its `record`, and its `annotations`, the number of each by id: not every call tells the ids."""
TaskCounts = Mapping[str, int]
"""How many annotations tasks have, skipped ones included, by the task's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What a project has now.

    Args:
        asked: What was pulled of it when this was looked at.
        counts: How many annotations each task has; of tasks that nobody has annotated so far, some may be missing.
        left: Of tasks that have fewer than were pulled of them, the numbers of those that are left.
    """

    asked: SeenTasks
    counts: TaskCounts
    left: Mapping[str, Collection[int]]


@dataclass(kw_only=True)
class Gone:
    """What is there no more.

    Args:
        withdrawn: By record, the ids of annotations that were deleted.
        left: Annotations of tasks that were deleted, which count all the same.
        tasks: How many such tasks.
        seen: What is to be remembered.
    """

    withdrawn: dict[str, set[str]] = field(default_factory=dict)
    left: int = 0
    tasks: int = 0
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)


def present(
    project: AnnotationProject, seen: SeenTasks, known: TaskCounts | None, exported: TaskCounts, *, whole: bool
) -> Present:
    """What a project has of what was pulled of it.

    Args:
        project: The project.
        seen: What was pulled of it.
        known: What was counted before; null if that isn't known.
        exported: What an export from now has.
        whole: Whether that is of all tasks with annotations, not only of those that were touched since the last pull.

    Raises:
        AnnotationError: If the server can't be asked.
    """
    counts = exported if whole else {**(known or {}), **exported}
    if whole:
        settled = seen.keys() <= counts.keys()  # A task that isn't there has no annotations left, or is gone.
    else:
        settled = known is not None and sum(counts.values()) == project.annotation_count()
    if not settled:
        counts = project.annotation_counts()
    fewer = [
        task
        for task, told in seen.items()
        if 0 < counts.get(task, 0) < len(told[_IDS]) and task not in exported  # Of those the export tells which.
    ]
    return Present(asked=seen, counts=counts, left={task: project.annotation_numbers(int(task)) for task in fewer})


def entry(record: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    """What is remembered of a task.

    Args:
        record: Its record.
        numbers: Of its annotations, by id.
    """
    return {_RECORD: record, _IDS: dict(sorted(numbers.items()))}


def seen_tasks(told: Any) -> dict[str, dict[str, Any]]:
    """What was pulled of a project, as the file has it; what isn't of that form is left out."""
    return {
        task: of
        for task, of in (told.items() if isinstance(told, dict) else ())
        if task.isdecimal()
        and isinstance(of, dict)
        and isinstance(of.get(_RECORD), str)
        and isinstance(of.get(_IDS), dict)
    }


def counts_in(tasks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many annotations the tasks of an export have, by number."""
    return {str(task.get("id")): len(said) for task in tasks if isinstance(said := task.get("annotations"), list)}


def task_counts(told: Any) -> dict[str, int] | None:
    """What was counted of a project, as the file has it; null if it isn't of that form, for then nothing is known."""
    if not isinstance(told, dict) or not all(type(count) is int for count in told.values()):
        return None
    return told


def compare(seen: SeenTasks, exported: SeenTasks, now: Present | None, *, withdraw_deleted: bool = False) -> Gone:
    """What was deleted of what was pulled.

    Args:
        seen: What was pulled so far.
        exported: What an export has: of each of its tasks, everything.
        now: What the project has; without it, nothing counts as deleted.
        withdraw_deleted: Whether annotations of deleted tasks are withdrawn, too.
    """
    gone = Gone(seen=_both(seen, exported))
    for task, of in now.asked.items() if now is not None else ():
        assert now is not None
        before: Mapping[str, int] = of[_IDS]
        if task in exported:
            left = before.keys() & exported[task][_IDS].keys()
        elif task in now.left:
            left = {name for name, number in before.items() if number in now.left[task]}
        elif task in now.counts:
            left = set(before) if now.counts[task] else set()
        elif withdraw_deleted:
            left = set()
        else:
            left = set(before)
            gone.left, gone.tasks = gone.left + len(before), gone.tasks + bool(before)
        lost = before.keys() - left
        if lost:
            gone.withdrawn.setdefault(of[_RECORD], set()).update(lost)
            still = {name: n for name, n in gone.seen.get(task, of)[_IDS].items() if name not in lost}
            gone.seen[task] = entry(of[_RECORD], still)
    return gone


def _both(seen: SeenTasks, exported: SeenTasks) -> dict[str, dict[str, Any]]:
    found: dict[str, Any] = dict(seen)
    for task, of in exported.items():
        found[task] = entry(of[_RECORD], {**(found[task][_IDS] if task in found else {}), **of[_IDS]})
    return found
