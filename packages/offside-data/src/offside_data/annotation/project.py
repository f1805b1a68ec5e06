"""A dataset's project on a Label Studio server, found by our mark: interface, tasks by our keys, exports."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from offside_data.annotation.answers import as_text
from offside_data.annotation.server import AnnotationServer, LostAnswerError, RefusedError
from offside_data.annotation.tasks import parse_key
from offside_data.errors import AnnotationError, UsageError
from offside_data.progress import log

T = TypeVar("T")
_BATCH = 500
_BATCH_BYTES = 16 * 2**20
"""Tasks of one request, and the size of any, at most."""
_POLL, _LONGEST_POLL = 0.5, 600.0
"""Seconds between two looks at something that the server does in the background, and after which we give up."""
_ROUNDS = 4
"""How often tasks are sent that didn't arrive."""
_SETTLED = 3
"""How often the number of tasks must be the same, after a cut connection, to be believed."""
_SETTLING = 1.0
_LOCAL = (
    "The server must run with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder that --document-root names (--server-root, where the "
    "server sees it under another path). Or use --pictures base64, which needs nothing."
)
_ANNOTATIONS = ("total_annotations_number", "skipped_annotations_number")
"""What a project tells of its annotations: those with an answer, and those without."""
_TITLE = "offside-data pull"
"""Of what a pull leaves on the server until it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTask:
    """A task of ours that the server has.

    Args:
        id: Its number there.
        key: Our key.
        sent: Hash of what was sent.
        annotated: Whether anybody annotated or skipped it.
    """

    id: int
    key: str
    sent: str
    annotated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A snapshot on the server.

    Args:
        number: Its number there.
        view: Number of the tab that chose its tasks; 0 if it isn't known.
    """

    number: int
    view: int = 0


class AnnotationProject:
    """A project on a server.

    Args:
        server: The server.
        number: The project's number.
    """

    def __init__(self, server: AnnotationServer, number: int) -> None:
        self.server, self.number = server, number

    @property
    def path(self) -> str:
        """Where the server has it."""
        return f"/api/projects/{self.number}"

    @property
    def address(self) -> str:
        """Where a person finds it."""
        return f"{self.server.url}/projects/{self.number}"

    def task_count(self) -> int:
        """How many tasks there are, ours and others."""
        return int(self.server.one(f"{self.path}/").get("task_number") or 0)

    def known(self) -> dict[str, list[KnownTask]]:
        """The tasks of ours by key, each once unless something went wrong, oldest first; others are left out."""
        found: dict[str, list[KnownTask]] = defaultdict(list)
        for task in self._tasks("id,meta,total_annotations,cancelled_annotations"):
            meta = task.get("meta")
            key = meta.get("offside_key") if isinstance(meta, Mapping) else None
            if isinstance(meta, Mapping) and isinstance(key, str) and parse_key(key) is not None:
                sent = str(meta.get("offside_sent"))
                found[key].append(KnownTask(id=task["id"], key=key, sent=sent, annotated=_count(task) > 0))
        return {key: sorted(tasks, key=lambda task: task.id) for key, tasks in found.items()}

    def annotation_count(self) -> int | None:
        """How many annotations there are, ours and others', skipped ones included; null if the server doesn't tell."""
        told = self.server.one(f"{self.path}/", include=",".join(_ANNOTATIONS))
        counts = [count for name in _ANNOTATIONS if type(count := told.get(name)) is int]
        return sum(counts) if len(counts) == len(_ANNOTATIONS) else None

    def annotation_counts(self) -> dict[str, int]:
        """How many annotations each task has, ours and others', skipped ones included, by the task's number."""
        return {str(task["id"]): _count(task) for task in self._tasks("id,total_annotations,cancelled_annotations")}

    def annotation_numbers(self, task: int) -> set[int]:
        """The numbers of a task's annotations; their unique ids this call doesn't tell."""
        return {int(said.get("id") or 0) for said in self.server.listed(f"/api/tasks/{task}/annotations/")}

    def _tasks(self, include: str) -> Iterator[Mapping[str, Any]]:
        return self.server.pages("/api/tasks", "tasks", project=self.number, fields="task_only", include=include)

    # -----------------------------------------------------------------------------------------
    # Sending

    def send(self, tasks: Mapping[str, Mapping[str, Any]]) -> None:
        """Send tasks that the server doesn't have; each is there once in the end, whatever happens on the way.

        Args:
            tasks: By key, as Label Studio takes them.

        Raises:
            AnnotationError: If the server refuses them, or some don't arrive.
        """
        waiting, failure = dict(tasks), ""
        for attempt in range(_ROUNDS):
            sent = 0
            try:
                for batch in batches(waiting.values(), lambda task: len(as_text(task)), _BATCH):
                    self._import(batch)
                    sent += len(batch)
                    log(f"sent {sent:,} of {len(waiting):,} tasks")
            except (LostAnswerError, RefusedError) as lost:
                failure = str(lost)
                self.server.wait(lost, attempt)
                log("Looking what arrived.")
                self._settle()
            known = self.known()
            self.drop_doubles(known)
            waiting = {key: task for key, task in tasks.items() if key not in known}
            if not waiting:
                return
            log(f"{len(waiting):,} tasks didn't arrive; sending them again.")
        raise AnnotationError(
            f"{self.address}: {len(waiting):,} of {len(tasks):,} tasks didn't arrive. {failure} Run the command again: "
            "it sends only what is missing."
        )

    def _import(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        told = self.server.sent(f"{self.path}/import", tasks)
        number = told.get("import")
        if "task_count" not in told and number is not None:  # Done in the background: only an id is told.
            told = self._finished(f"{self.path}/imports/{number}", "import")
        if told.get("task_count") != len(tasks):
            log(f"{self.address}: {told.get('task_count')} of {len(tasks)} tasks were taken; looking which.")

    def _finished(self, path: str, what: str) -> Mapping[str, Any]:
        """Wait for something that the server does in the background.

        Raises:
            AnnotationError: If it fails, or takes too long.
        """
        begin = time.monotonic()
        while time.monotonic() - begin < _LONGEST_POLL:
            told = self.server.one(path)
            if told.get("status") == "completed":
                return told
            if told.get("status") == "failed":
                why = self.server.scrubbed(str(told.get("error") or told.get("traceback") or "it doesn't say why"))
                raise AnnotationError(
                    f"{self.address}: the {what} failed on the server: {' '.join(why.split())[:300]} Run the command "
                    "again; if it stays so, look at the server's log."
                )
            time.sleep(_POLL)
        raise AnnotationError(
            f"{self.address}: the {what} isn't done after {_LONGEST_POLL:.0f} s. Look at the server, then run the "
            "command again: it goes on from what is there."
        )

    def _settle(self) -> None:
        """Wait until the number of tasks stays the same: a request that was cut off may still be under way."""
        same, before = 0, -1
        while same < _SETTLED:
            now = self.task_count()
            same, before = (same + 1, now) if now == before else (0, now)
            time.sleep(_SETTLING)

    def drop_doubles(self, known: Mapping[str, Sequence[KnownTask]]) -> int:
        """Take out tasks that are there twice, because a request arrived that was given up, or two pushes met.

        Never one with answers.

        Returns:
            How many went.
        """
        dropped = 0
        for tasks in known.values():
            spare = [task for task in tasks if not task.annotated]
            for task in spare[1:] if len(spare) == len(tasks) else spare:
                dropped += self._drop(task)
        return dropped

    def _drop(self, task: KnownTask) -> bool:
        path = f"/api/tasks/{task.id}/"
        try:
            now = self.server.one(path)  # It may have got an answer meanwhile.
        except RefusedError as refused:
            if refused.status != 404:
                raise
            return False
        if now.get("annotations") or _count(now):
            return False
        self.server.delete(path)
        return True

    def replace(self, task: KnownTask, content: Mapping[str, Any]) -> None:
        """Make a task that nobody has annotated what it is now.

        Its mark changes last: were this stopped before, the next push would do all of it again.
        """
        for prediction in self.server.listed("/api/predictions/", task=task.id):
            self.server.delete(f"/api/predictions/{prediction.get('id')}/")
        for prediction in content.get("predictions", ()):
            self.server.post("/api/predictions/", {**prediction, "task": task.id})
        self.server.patch(f"/api/tasks/{task.id}/", {"data": content["data"], "meta": content["meta"]})

    def serve_local(self, folder: str, address: str) -> None:
        """Let the server show pictures of a folder of its own, and make sure that it does.

        Args:
            folder: The folder as the server sees it, strictly below its document root.
            address: That of one picture in it.

        Raises:
            AnnotationError: If it doesn't show the picture; says what to look at.
        """
        stores = self.server.listed("/api/storages/localfiles/", project=self.number)
        if not any(str(store.get("path")).rstrip("/") == folder.rstrip("/") for store in stores):
            told = {"project": self.number, "path": folder, "use_blob_urls": True, "title": "offside-data pictures"}
            try:
                self.server.post("/api/storages/localfiles/", told)
            except RefusedError as refused:
                raise AnnotationError(f"{refused} {_LOCAL}") from refused
        path, _, query = address.partition("?d=")
        try:
            self.server.raw(path, d=unquote(query))
        except RefusedError as refused:
            raise AnnotationError(f"{refused} {_LOCAL}") from refused

    # -----------------------------------------------------------------------------------------
    # Fetching

    def begin_export(self, since: str = "") -> Export:
        """Have the server make a snapshot of the annotated tasks, with skipped ones.

        Args:
            since: Only of tasks that were touched since then, an ISO timestamp.
        """
        # Not by the option `annotated`, which leaves out tasks that were only skipped.
        items = [_condition(name, "greater", "Number", 0) for name in ("total_annotations", "cancelled_annotations")]
        conditions = {"conjunction": "or", "items": items}
        if since:
            touched = _condition("updated_at", "greater_or_equal", "Datetime", since)
            conditions = {"conjunction": "and", "items": [touched]}
        told = {"project": self.number, "data": {"title": _TITLE, "filters": conditions}}
        try:
            return self._begun(told)
        except LostAnswerError as lost:
            raise AnnotationError(f"{lost} Nothing was pulled; run the command again.") from None

    def _begun(self, told: Mapping[str, Any]) -> Export:
        view = self.server.made("/api/dm/views/", told)
        bare = {"predictions": {"only_id": True}, "drafts": {"only_id": True}, "include_annotation_history": False}
        asked = {"title": _TITLE, "task_filter_options": {"view": view}, "serialization_options": bare}
        return Export(number=self.server.made(f"{self.path}/exports/", asked), view=view)

    def export(self, number: int) -> bytes:
        """A snapshot, once it is made.

        Raises:
            RefusedError: If there is none of this number (any more).
            AnnotationError: If it can't be made.
        """
        self._finished(f"{self.path}/exports/{number}", "export")
        return self.server.raw(f"{self.path}/exports/{number}/download", exportType="JSON")

    def end_export(self, export: Export) -> None:
        """Let the server forget a snapshot and its tab; those of other pulls, which may be under way, stay."""
        self.server.delete(f"{self.path}/exports/{export.number}")
        if export.view:
            self.server.delete(f"/api/dm/views/{export.view}/")


def _count(task: Mapping[str, Any]) -> int:
    """Annotations of a task as the server lists it, skipped ones included."""
    return int(task.get("total_annotations") or 0) + int(task.get("cancelled_annotations") or 0)


def _condition(name: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{name}", "operator": operator, "type": kind, "value": value}


def batches(items: Iterable[T], size_of: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Cut what is to be sent into requests, each of at most so many items and not too many bytes."""
    batch: list[T] = []
    size = 0
    for item in items:
        length = size_of(item)
        if batch and (len(batch) == most or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


# ---------------------------------------------------------------------------------------------
# Finding one


def mark_of(dataset: str) -> str:
    """What the description of a dataset's project holds."""
    return f"[offside-data:{dataset}]"


def marked_projects(server: AnnotationServer, dataset: str) -> list[Mapping[str, Any]]:
    """Every project with the mark of a dataset.

    Raises:
        AnnotationError: If the server can't be asked.
    """
    return [p for p in server.pages("/api/projects/", "results") if mark_of(dataset) in (p.get("description") or "")]


def find_project(server: AnnotationServer, dataset: str, number: int | None = None) -> AnnotationProject | None:
    """The project of a dataset.

    Args:
        server: The server.
        dataset: The dataset's name.
        number: The project's number, if it is known.

    Returns:
        Null if there is none.

    Raises:
        UsageError: If several have our mark, or the one of this number hasn't.
    """
    if number is not None:
        try:
            told = server.one(f"/api/projects/{number}/")
        except RefusedError as refused:
            if refused.status != 404:
                raise
            raise UsageError(f"{server.url} has no project {number}, or this user may not see it.") from refused
        if mark_of(dataset) not in (told.get("description") or ""):
            raise UsageError(
                f"{server.url}: project {number} ({told.get('title')!r}) wasn't made for the dataset {dataset}. To use "
                f"it all the same, put {mark_of(dataset)} into its description; its other tasks stay as they are."
            )
        return AnnotationProject(server, number)
    marked = marked_projects(server, dataset)
    if len(marked) > 1:
        several = ", ".join(f"{project['id']} ({project.get('title')})" for project in marked)
        raise UsageError(
            f"{server.url}: several projects are of the dataset {dataset}: {several}. Name one by --project."
        )
    return AnnotationProject(server, int(marked[0]["id"])) if marked else None
