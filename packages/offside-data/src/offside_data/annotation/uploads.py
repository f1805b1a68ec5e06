"""Pictures as files of a project: each uploaded once, known by name and content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from offside_data.annotation.project import AnnotationProject
from offside_data.errors import AnnotationError
from offside_data.progress import log

_BYTES = 16 * 2**20
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
    for batch in _batches(pictures):
        new = []
        for image_id, name, data in batch:
            stored = f"{hashlib.sha256(data).hexdigest()[:16]}-{name}"
            names[image_id] = stored
            if stored not in there:
                new.append((stored, data))
        if new:
            project.server.upload(f"{project.path}/import", new, commit_to_project="false")
            log(f"uploaded {len(new)} pictures")
    there = _there(project)
    for image_id, stored in names.items():
        if stored not in there:
            raise AnnotationError(f"{project.address}: the picture {stored} didn't arrive. Run the command again.")
        found[image_id] = there[stored]
    return found


def _there(project: AnnotationProject) -> dict[str, str]:
    """Addresses of a project's files by the name that they were uploaded under; the server puts a code before it."""
    found = {}
    for upload in project.server.get(f"{project.path}/file-uploads", all="true"):
        file = str(upload.get("file") or "")
        _, _, name = PurePosixPath(file).name.partition("-")
        found[name] = "/data/" + file.lstrip("/").removeprefix("data/")
    return found


def _batches(pictures: Iterable[tuple[str, str, bytes]]) -> Iterator[list[tuple[str, str, bytes]]]:
    batch: list[tuple[str, str, bytes]] = []
    size = 0
    for picture in pictures:
        if batch and (len(batch) == _FILES or size + len(picture[2]) > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(picture)
        size += len(picture[2])
    if batch:
        yield batch
