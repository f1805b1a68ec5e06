"""A real Label Studio server for tests: one for all tests of a file, people on it, and a proxy in front of it."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from chromium import Chromium, browser
from faulty_proxy import FaultyProxy

from offside_data.annotation.server import AnnotationServer

ROOT = Path(__file__).parents[4]
sys.path.append(str(ROOT / "tools"))

from annotation_server import NotInstallable, RunningServer, running  # noqa: E402


@pytest.fixture(scope="module")
def real() -> Iterator[RunningServer]:
    """One server for all tests of this file."""
    try:
        context = running()
        server = context.__enter__()
    except NotInstallable as why:
        pytest.skip(str(why))
    yield server
    context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def admin(real: RunningServer) -> AnnotationServer:
    return AnnotationServer(real.url, real.token)


@pytest.fixture(scope="module")
def people(admin: AnnotationServer) -> dict[str, int]:
    """Three annotators, by name, and their numbers."""
    return {
        name: admin.post("/api/users/", {"email": f"{name}@example.com", "username": name, "first_name": name.title()})[
            "id"
        ]
        for name in ("bruno", "carla", "dora")
    }


@pytest.fixture
def named(real: RunningServer, admin: AnnotationServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment names the server, whose projects go after the test."""
    monkeypatch.setenv("LABEL_STUDIO_URL", real.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", real.token)
    yield
    for project in list(admin.pages("/api/projects/", "results")):
        admin.delete(f"/api/projects/{project['id']}/")


@pytest.fixture
def behind(named: None, real: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A proxy in front of it, which the environment names instead."""
    faulty = FaultyProxy(real.url)
    monkeypatch.setenv("LABEL_STUDIO_URL", faulty.url)
    yield faulty
    faulty.close()


def number_of(target: str) -> int:
    return int(target.rpartition("/")[2])


def tasks_of(admin: AnnotationServer, project: int, include: str = "id,data,meta") -> list[Any]:
    return list(admin.pages("/api/tasks", "tasks", project=project, fields="task_only", include=include))


def say(admin: AnnotationServer, task: int, user: int, result: list[Any], **fields: Any) -> None:
    admin.post(f"/api/tasks/{task}/annotations/", {"result": result, "completed_by": user, **fields})


def each_once(admin: AnnotationServer, project: int, expected: int) -> None:
    counts = Counter(task["data"]["key"] for task in tasks_of(admin, project))
    assert len(counts) == expected
    assert set(counts.values()) == {1}


# ---------------------------------------------------------------------------------------------
# In a browser


def log_in(real: RunningServer) -> requests.Session:
    """A session as a browser has it."""
    session, page = requests.Session(), f"{real.url}/user/login/"
    found = re.search(r'csrfmiddlewaretoken" value="([^"]+)', session.get(page).text)
    assert found is not None
    told = {"csrfmiddlewaretoken": found[1], "email": real.email, "password": real.password}
    assert session.post(page, data=told, headers={"Referer": page}).ok
    return session


@pytest.fixture
def window(real: RunningServer, tmp_path: Path) -> Iterator[Chromium]:
    if browser() is None:
        pytest.skip("no browser: Chromium isn't installed")
    chromium = Chromium(tmp_path)
    for cookie in log_in(real).cookies:
        chromium.set_cookie(real.url, cookie.name, cookie.value or "")
    yield chromium
    chromium.close()


CHOICE = """[...document.querySelectorAll('label, .ant-checkbox-wrapper, .ant-radio-wrapper')]
    .find(e => e.innerText.trim().startsWith({}))"""
"""An option of the labelling page, by how its label begins."""
CORRECTED = """document.querySelector('[placeholder^="Only if"]')"""
"""Where a corrected value is typed."""


def choice(text: str) -> str:
    return CHOICE.format(json.dumps(text))
