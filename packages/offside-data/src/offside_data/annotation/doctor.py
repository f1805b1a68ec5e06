"""What stands between a dataset and its annotators: the server, the token, the project, a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from offside_data.annotation.interface import label_config
from offside_data.annotation.preparing import state_of_interface
from offside_data.annotation.project import AnnotationProject, find_project
from offside_data.annotation.server import AnnotationServer, RefusedError, connect
from offside_data.dataset.folder import open_dataset
from offside_data.errors import AnnotationError, PictureError, UsageError
from offside_data.view.pictures import shown_picture

_MOST = 200
"""Tasks that are looked through for one with a picture."""
_SERVED = "Push again with --pictures local: it puts them there again, or says what the server lacks."
_UPLOADED = "Delete the tasks that nobody has annotated in Label Studio, and push again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at.

    Args:
        about: What.
        ok: Whether it is as it should be; null where it couldn't be looked at.
        told: What was found, and what to do about it.
    """

    about: str
    ok: bool | None
    told: str


def diagnose(folder: str | Path, *, url: str | None = None, project: int | None = None) -> list[Diagnosis]:
    """Look at everything that annotating a dataset needs, one after the other; changes nothing.

    Args:
        folder: The dataset.
        url: The server; default: what the environment names.
        project: Number of the project, if it isn't to be found by its mark.

    Raises:
        DatasetReferenceError: If there is no such dataset.
    """
    dataset = open_dataset(folder)
    return list(_diagnoses(dataset.name, label_config(dataset.taxonomy), url, project))


def _diagnoses(name: str, config: str, url: str | None, project: int | None) -> Iterator[Diagnosis]:
    try:
        server = connect(url)
    except UsageError as error:
        yield Diagnosis(about="settings", ok=False, told=str(error))
        return
    kind = (
        "a legacy token, sent as it is" if server.kind == "legacy" else "a personal access token, exchanged as needed"
    )
    yield Diagnosis(about="token", ok=True, told=kind)
    try:
        version = server.get("/api/version")
    except AnnotationError as error:
        yield Diagnosis(about="server", ok=False, told=str(error))
        return
    yield Diagnosis(about="server", ok=True, told=f"{server.url}: Label Studio {_version(version)}")
    try:
        server.get("/api/current-user/whoami")
    except AnnotationError as error:
        yield Diagnosis(about="login", ok=False, told=str(error))
        return
    yield Diagnosis(about="login", ok=True, told="the server takes the token")
    yield _legacy(server)
    try:
        found = find_project(server, name, project)
    except (UsageError, AnnotationError) as error:
        yield Diagnosis(about="project", ok=False, told=str(error))
        return
    if found is None:
        yield Diagnosis(about="project", ok=None, told="there is none yet; `annotate push` makes it")
        return
    yield Diagnosis(about="project", ok=True, told=f"{found.address}: {found.task_count():,} tasks")
    yield _interface(found, config)
    yield _picture(found)


def _version(told: Any) -> str:
    return str(told.get("release", "of unknown version")) if isinstance(told, Mapping) else "of unknown version"


def _legacy(server: AnnotationServer) -> Diagnosis:
    """Whether the organization takes legacy tokens: where they are turned off, they stop working at once."""
    try:
        told = server.one("/api/jwt/settings")
    except RefusedError as refused:
        return Diagnosis(
            about="legacy tokens", ok=None, told=f"whether they are taken, this user may not see ({refused.status})"
        )
    on = bool(told.get("legacy_api_tokens_enabled"))
    if on:
        return Diagnosis(about="legacy tokens", ok=True, told="the organization takes them")
    return Diagnosis(
        about="legacy tokens", ok=server.kind != "legacy", told="off in this organization: personal access tokens only"
    )


def _interface(project: AnnotationProject, config: str) -> Diagnosis:
    """Whether the labelling interface asks all that is to be asked."""
    told = project.server.one(f"{project.path}/")
    ours, missing = state_of_interface(told, config)
    if missing and not ours:
        lacks = "; ".join(missing)
        return Diagnosis(
            about="interface", ok=False, told=f"{lacks}. `annotate push --replace-interface` puts ours there"
        )
    if ours:
        return Diagnosis(about="interface", ok=True, told="as we made it")
    return Diagnosis(about="interface", ok=True, told="changed by a person; it asks all that is needed")


def _picture(project: AnnotationProject) -> Diagnosis:
    """Whether the server shows a picture of the project to its user."""
    tasks = project.server.one(
        "/api/tasks", project=project.number, page=1, page_size=_MOST, fields="task_only", include="id,data"
    )
    for task in tasks.get("tasks", ()):
        image = str((task.get("data") or {}).get("image") or "")
        if not image or "key" not in task["data"]:
            continue
        if image.startswith("data:"):
            return Diagnosis(about="picture", ok=True, told="pictures lie within the tasks; nothing is to be served")
        parts = urlsplit(image)
        if parts.scheme:
            return Diagnosis(about="picture", ok=None, told=f"pictures lie elsewhere, at {parts.netloc}")
        remedy = _SERVED if parts.path.startswith("/data/local-files") else _UPLOADED
        try:
            picture = project.server.raw(parts.path, **dict(parse_qsl(parts.query)))
            shown_picture(picture)
        except AnnotationError as error:
            return Diagnosis(about="picture", ok=False, told=f"task {task['id']}: {error} {remedy}")
        except PictureError:
            told = f"task {task['id']}: what the server gives at {parts.path} is no picture. {remedy}"
            return Diagnosis(about="picture", ok=False, told=told)
        told = f"the server shows that of task {task['id']} ({len(picture):,} bytes)"
        return Diagnosis(about="picture", ok=True, told=told)
    return Diagnosis(about="picture", ok=None, told="no task of ours has one yet")
