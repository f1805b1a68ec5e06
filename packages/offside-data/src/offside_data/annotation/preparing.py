"""A dataset's project, ready for its tasks: made where there is none, with an interface that asks all we ask.

The hash of the interface that we put there stands in the project's description. Where the project's interface has
another one, a person changed it: it stays if it asks all the same, and is never replaced without a word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offside_data.annotation.interface import missing_of
from offside_data.annotation.project import AnnotationProject, find_project, mark_of, marked_projects
from offside_data.annotation.server import AnnotationServer, LostAnswerError, RefusedError
from offside_data.dataset.journal import work_folder
from offside_data.dataset.replacing import ANNOTATION
from offside_data.errors import AnnotationError, listed
from offside_data.files import write_text
from offside_data.progress import log

_MARK = re.compile(r" ?\[interface:[0-9a-f]*\]")
_BLANK = re.compile(r"(<View\s*/>|<View>\s*</View>)?")
"""The interface of a project for which nobody has chosen one yet."""
_LONGEST_TITLE = 50


def ensure_project(
    server: AnnotationServer,
    dataset: str,
    config: str,
    *,
    folder: Path,
    number: int | None = None,
    overlap: int = 1,
    replace: bool = False,
) -> tuple[AnnotationProject, bool]:
    """The project of a dataset with this interface; made where there is none. Projects of others are never touched.

    Args:
        server: The server.
        dataset: The dataset's name.
        config: The interface.
        folder: The dataset's, where an interface is kept that is replaced.
        number: The project's number, if it is known.
        overlap: How many annotators are to see each task of a new project.
        replace: Whether an interface that a person changed is replaced.

    Returns:
        The project, and whether it was made now.

    Raises:
        UsageError: As `find_project`.
        AnnotationError: If an interface that a person changed doesn't ask all, or if the server refuses ours, because
            annotations that it has wouldn't fit it.
    """
    found = find_project(server, dataset, number)
    if found is None:
        return _made(server, dataset, config, overlap)
    _set_interface(found, config, folder, replace)
    return found, False


def _made(server: AnnotationServer, dataset: str, config: str, overlap: int) -> tuple[AnnotationProject, bool]:
    """A new project; that of another push where two make one at the same time."""
    told = {
        "title": f"{dataset} (offside-data)"[:_LONGEST_TITLE],
        "description": f"Claims of the dataset {dataset}. {mark_of(dataset)} The project is found by it. "
        + interface_mark(config),
        "label_config": config,
        "maximum_annotations": overlap,
        "show_annotation_history": False,
    }
    made = 0
    try:
        made = server.made("/api/projects/", told)
    except LostAnswerError as lost:
        log(f"{lost} Looking whether the project is there.")
        server.wait(lost, 0)
    first = min((int(project["id"]) for project in marked_projects(server, dataset)), default=made)
    if not first:
        raise AnnotationError(f"{server.url}: the project wasn't made. Run the command again.")
    project = AnnotationProject(server, made or first)
    if first < project.number and not project.task_count():
        log(f"another push made the project {first} at the same time; this one goes there, too.")
        server.delete(f"{project.path}/")
        return AnnotationProject(server, first), False
    return project, True


# ---------------------------------------------------------------------------------------------
# The interface


def interface_mark(config: str) -> str:
    """What the description of a project holds of the interface that we put there."""
    return f"[interface:{hashlib.sha256(config.strip().encode()).hexdigest()[:16]}]"


def state_of_interface(told: Mapping[str, Any], config: str) -> tuple[bool, list[str]]:
    """What became of a project's interface.

    Args:
        told: The project, as the server tells it.
        config: The interface as it would be made now.

    Returns:
        Whether it is one that we made, or nobody has, and what it lacks.
    """
    there = str(told.get("label_config") or "")
    if there.strip() == config.strip():
        return True, []
    nobodys = _BLANK.fullmatch(there.strip()) is not None
    return nobodys or interface_mark(there) in str(told.get("description") or ""), missing_of(there)


def _set_interface(project: AnnotationProject, config: str, folder: Path, replace: bool) -> None:
    told = project.server.one(f"{project.path}/")
    there = str(told.get("label_config") or "")
    if there.strip() == config.strip():
        return
    ours, missing = state_of_interface(told, config)
    if not ours and not replace:
        if missing:
            raise AnnotationError(
                f"{project.address}: its labelling interface isn't the one that was made for this dataset, and with it "
                f"not everything can be asked:\n{listed(missing)}\nPut that back (Settings, Labeling Interface), or "
                "push with --replace-interface, which keeps a copy of it."
            )
        log(
            f"note: the labelling interface of {project.address} was changed by a person. It asks all that is needed, "
            "and stays; --replace-interface puts ours there."
        )
        return
    if not ours:
        log(f"the interface that was there is kept in {_kept(project, there, folder)}.")
    description = _MARK.sub("", str(told.get("description") or "")).rstrip()
    try:
        project.server.patch(
            f"{project.path}/", {"label_config": config, "description": f"{description} {interface_mark(config)}"}
        )
    except RefusedError as refused:
        if refused.status != 400:
            raise
        raise AnnotationError(
            f"{refused} The interface was made by another version, or of another taxonomy, and annotations that "
            "are there wouldn't fit the new one: pull them, then push into a new project (rename the old mark)."
        ) from refused
    if ours:
        log(f"the labelling interface of {project.address} was made anew: the taxonomy or the program has changed.")


def _kept(project: AnnotationProject, config: str, folder: Path) -> Path:
    name = f"{project.number}-{interface_mark(config)[11:-1]}.xml"
    path = work_folder(folder, ANNOTATION, "interfaces", name)
    write_text(path, config)
    return path
