"""Send records to annotators: what the server doesn't have yet, each once, however often it is sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.annotation.disagreements import disagreeing
from offside_data.annotation.images import (
    data_uri,
    local_folder_of,
    no_picture,
    put_local,
    shown_pictures,
)
from offside_data.annotation.interface import label_config
from offside_data.annotation.options import PushOptions as PushOptions
from offside_data.annotation.preparing import ensure_project
from offside_data.annotation.project import AnnotationProject, KnownTask
from offside_data.annotation.server import connect
from offside_data.annotation.tasks import Task, chosen_records, make_task, parse_key, problems_of, told_before
from offside_data.annotation.uploads import uploaded
from offside_data.dataset.access import reads
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import AnnotationError, OutputExistsError, UsageError, listed
from offside_data.files import write_text
from offside_data.outputs import require_apart
from offside_data.progress import log


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """What was sent.

    Args:
        chosen: Records that fit.
        sent: Tasks that are new.
        updated: Tasks that were changed.
        there: Tasks that were there already.
        changed: Of these, those whose records say something else now; `--update` makes tasks anew, those that somebody
            annotated beside the old ones.
        target: Address of the project, or the file.
        waiting: Tasks that fit and aren't there either, which the limit left for a further push.
        made: Whether the project was made now.
    """

    chosen: int
    sent: int
    updated: int
    there: int
    changed: int
    target: str
    waiting: int = 0
    made: bool = False


@reads
def push(folder: str | Path, options: PushOptions, *, url: str | None = None) -> PushReport:
    """Send records to a Label Studio server.

    Args:
        folder: The dataset.
        options: What, and how.
        url: The server; default: what the environment names.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If a condition or an option is wrong.
        AnnotationError: If the server can't be reached or refuses. What was sent stays; a second push completes it.
    """
    server = connect(url)
    dataset = open_dataset(folder)
    tasks = _tasks(dataset, options)
    project, made = ensure_project(
        server,
        dataset.name,
        label_config(dataset.taxonomy),
        folder=dataset.path,
        number=options.project,
        overlap=options.overlap,
        replace=options.replace_interface,
    )
    known = {} if made or not project.task_count() else project.known()
    doubles = project.drop_doubles(known)
    if doubles:
        log(f"{doubles:,} tasks were there twice, of a push that was interrupted or met another; one of each stays.")
    new = {task.key: task for task in tasks if task.key not in known}
    # What was judged stays where only our proposals are others by now: the same was asked.
    changed = [task for task in tasks if task.key in known and _differs(task, known[task.key][0])]
    outdated = _outdated(tasks, known)
    updates = [(known[task.key][0], task) for task in changed if options.update]
    for key, old in outdated.items():
        at = known[old][0]
        if not options.update:
            del new[key]
        elif not at.annotated:  # Nobody has seen what it was; what somebody judged stays as it was judged.
            updates.append((at, new.pop(key)))
    missing = len(new)
    new = dict(itertools.islice(new.items(), options.limit))
    wanted = [*new.values(), *(task for _, task in updates)]
    # A folder may have lost what tasks show that are there.
    there = [task for task in tasks if task.key in known] if options.pictures == "local" else []
    pictures = _addresses(dataset, [*wanted, *there], options, project)
    for at, task in updates:
        project.replace(at, _content(task, pictures, dataset))
    if new:
        project.send({key: _content(task, pictures, dataset) for key, task in new.items()})
    left = len(changed) + len(outdated) - len(updates)
    return PushReport(
        chosen=len(tasks),
        sent=len(new),
        updated=len(updates),
        there=len(tasks) - missing - len(updates),
        changed=max(left, 0),
        target=project.address,
        waiting=missing - len(new),
        made=made,
    )


@reads
def push_to_file(folder: str | Path, file: str | Path, options: PushOptions) -> PushReport:
    """Write tasks as Label Studio imports them, and beside them the interface (`.xml`).

    Args:
        folder: The dataset.
        file: The file, `.json`.
        options: As `push`; `upload` needs a server, and a limit takes the first each time.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If a condition or an option is wrong, or the file can't be written.
        OutputExistsError: If the file is there and nothing that this command wrote.
    """
    dataset, path = open_dataset(folder), Path(file)
    if path.suffix.lower() != ".json":
        raise UsageError(f"{path}: Label Studio's tasks are JSON; end the name in .json.")
    if options.pictures == "upload":
        raise UsageError("--pictures upload needs a server; use base64 or local with --to-file.")
    require_apart(path, dataset.path, "dataset")
    interface, config = path.with_suffix(".xml"), label_config(dataset.taxonomy)
    for place in (path, interface):
        if place.exists() and not (place == interface and _holds(place, config)):
            raise OutputExistsError(f"{place} is there already. Give another file, or delete it.")
    fitting = _tasks(dataset, options)
    tasks = fitting[: options.limit]
    pictures = _addresses(dataset, tasks, options, None)
    content = [_content(task, pictures, dataset) for task in tasks]
    write_text(interface, config)
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return PushReport(
        chosen=len(fitting),
        sent=len(tasks),
        updated=0,
        there=0,
        changed=0,
        target=str(path),
        waiting=len(fitting) - len(tasks),
    )


def _differs(task: Task, there: KnownTask) -> bool:
    """Whether a task that nobody has judged isn't what it is to be."""
    return not there.annotated and there.sent != task.meta["offside_sent"]


def _holds(place: Path, text: str) -> bool:
    """Whether a file is what an earlier run wrote that was stopped half-way."""
    try:
        return place.read_bytes() == text.encode()
    except OSError:
        return False


def _tasks(dataset: OffsideDataset, options: PushOptions) -> list[Task]:
    """The tasks of the records that are chosen."""
    if options.only not in (None, "disagreements"):
        raise UsageError(f"--only takes disagreements, got {options.only!r}.")
    made = list(_made(dataset, options))
    if not made and options.only:
        log("nobody disagrees: there is nothing for a further round.")
    return made


def _made(dataset: OffsideDataset, options: PushOptions) -> Iterator[Task]:
    taxonomy = dataset.taxonomy
    for record in chosen_records(dataset, options.where):
        if options.only is None:
            yield make_task(record, taxonomy, dataset.name, proposing=options.proposals)
            continue
        said = disagreeing(record, taxonomy)
        if said:
            again = 1 + max(judgement.round for judgement in said)
            earlier = told_before(said)
            yield make_task(record, taxonomy, dataset.name, proposing=False, round=again, earlier=earlier)


def _outdated(tasks: Sequence[Task], known: Mapping[str, Any]) -> dict[str, str]:
    """By the key of a task that is new, that of an earlier state of its record in the same round."""
    by_record: dict[tuple[str, int], str] = {}
    for key in known:
        parts = parse_key(key)
        if parts is not None:
            by_record[parts[0], parts[2]] = key
    found = {}
    for task in tasks:
        parts = parse_key(task.key)
        old = by_record.get((parts[0], parts[2])) if parts is not None and task.key not in known else None
        if old is not None:
            found[task.key] = old
    return found


def _content(task: Task, pictures: Mapping[str, str], dataset: OffsideDataset) -> dict[str, Any]:
    image = no_picture() if task.image_id is None else pictures[task.image_id]
    content = task.to_json(image, f"{dataset.name} {dataset.version}")
    problems = problems_of(content)
    if problems:
        raise AnnotationError(f"the task of record {task.record_id} can't be sent:\n{listed(problems)}")
    return content


def _addresses(
    dataset: OffsideDataset,
    tasks: Sequence[Task],
    options: PushOptions,
    project: AnnotationProject | None,
) -> dict[str, str]:
    """The address of each picture of some tasks."""
    wanted = sorted({task.image_id for task in tasks if task.image_id is not None})
    if not wanted:
        return {}
    if options.pictures == "local":
        assert options.document_root is not None
        root = Path(options.document_root)
        found = put_local(dataset, root, wanted)
        if project is not None:
            served = Path(options.server_root or root.resolve())
            project.serve_local(str(local_folder_of(served, dataset.name)), found[wanted[0]])
        return found
    if options.pictures == "upload":
        assert project is not None
        return uploaded(project, shown_pictures(dataset, wanted))
    return {image_id: data_uri(name, data) for image_id, name, data in shown_pictures(dataset, wanted)}
