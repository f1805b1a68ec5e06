"""What was deleted on the server after it was pulled: such annotations are withdrawn, such tasks are told of.

An export tells what is there, not what is gone. So `.offside/annotation/seen.json` has, by project and task, the
annotations that were pulled; a listing of the project's tasks says which are there, and how many annotations each has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.annotation.project import AnnotationProject

SEEN = "seen.json"
_RECORD, _IDS = "record", "annotations"

SeenTasks = Mapping[str, Mapping[str, Any]]
"""By number of a task: its `record`, and its `annotations`, the number of each by id: not every call tells the ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What a project has now.

    Args:
        asked: What was pulled of it when this was looked at.
        counts: How many annotations each task has, skipped ones included, by its number.
        left: Of tasks that have fewer than were pulled of them, the numbers of those that are left.
    """

    asked: SeenTasks
    counts: Mapping[str, int]
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


def present(project: AnnotationProject, seen: SeenTasks) -> Present:
    """What a project has of what was pulled of it.

    Args:
        project: The project.
        seen: What was pulled of it.

    Raises:
        AnnotationError: If the server can't be asked.
    """
    counts = project.annotation_counts() if seen else {}
    fewer = [task for task, told in seen.items() if 0 < counts.get(task, 0) < len(told[_IDS])]
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
        str(task): dict(of)
        for task, of in (told.items() if isinstance(told, Mapping) else ())
        if str(task).isdecimal()
        and isinstance(of, Mapping)
        and isinstance(of.get(_RECORD), str)
        and isinstance(of.get(_IDS), Mapping)
    }


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
    found = {task: dict(of) for task, of in seen.items()}
    for task, of in exported.items():
        found[task] = entry(of[_RECORD], {**(found[task][_IDS] if task in found else {}), **of[_IDS]})
    return found
