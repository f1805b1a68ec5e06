"""Pictures as files of a project: each uploaded once, known by name and content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from offside_data.annotation.project import AnnotationProject, batches
from offside_data.annotation.server import LostAnswerError, RefusedError
from offside_data.errors import AnnotationError
from offside_data.figures import counted
from offside_data.progress import log

_FILES = 50


def uploaded(project: AnnotationProject, pictures: Iterable[tuple[str, str, bytes]]) -> dict[str, str]:
    """Upload the pictures that a project doesn't have yet.

    Args:
        project: The project.
        pictures: image_id, file name and encoded bytes of each.

    Returns:
        The address of each on the server, by image_id.

    Raises:
        AnnotationError: If the server refuses, or one doesn't arrive.
    """
    there = _there(project)
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for batch in batches(pictures, lambda picture: len(picture[2]), _FILES):
        new = []
        for image_id, name, data in batch:
            stored = f"{hashlib.sha256(data).hexdigest()[:16]}-{name}"
            names[image_id] = stored
            if stored not in there:
                new.append((stored, data))
        if new:
            _upload(project, new)
            log(f"uploaded {counted(len(new), 'picture')}")
    there = _there(project)
    for image_id, stored in names.items():
        if stored not in there:
            raise AnnotationError(f"{project.address}: the picture {stored} didn't arrive. Run the command again.")
        found[image_id] = there[stored]
    return found


def _upload(project: AnnotationProject, files: Sequence[tuple[str, bytes]]) -> None:
    """Send files.

    The server keeps them, but says that it can't make tasks of them: for that an interface must show nothing else.
    Whether they arrived is looked up afterwards in any case.
    """
    try:
        project.server.upload(f"{project.path}/import", files, commit_to_project="false")
    except RefusedError as refused:
        if refused.status != 400 or "direct file upload" not in refused.text:
            raise
    except LostAnswerError as lost:
        log(str(lost))


def _there(project: AnnotationProject) -> dict[str, str]:
    """Addresses of a project's files by the name that they were uploaded under; the server puts a code before it."""
    found = {}
    for upload in project.server.listed(f"{project.path}/file-uploads", all="true"):
        file = str(upload.get("file") or "")
        _, _, name = PurePosixPath(file).name.partition("-")
        found[name] = "/data/" + file.lstrip("/").removeprefix("data/")
    return found
