"""A small stand-in for a Label Studio server, for quick tests: the calls that we make, as the real one answers them."""

from __future__ import annotations

import datetime
import itertools
import json
import re
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "0123456789abcdef" * 2 + "01234567"
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
USERS = [
    {"id": 1, "email": "ana@example.com", "first_name": "Ana", "last_name": "Curator"},
    {"id": 2, "email": "bruno@example.com", "first_name": "Bruno", "last_name": "Tester"},
    {"id": 3, "email": "carla@example.com", "first_name": "", "last_name": ""},
    {"id": 4, "email": "dora@example.com", "first_name": "Dora", "last_name": "Tester"},
]


class FakeLabelStudio:
    """The server's state, and its loopback address once it is started.

    Attributes:
        background: Whether imports are done in the background and answered by an id.
        stuck: Whether nothing that is done in the background is ever finished.
        failing: Whether imports fail in the background.
        dropping: How many tasks of the next import get lost.
        legacy: Whether legacy tokens are taken.
        asked: Every request, as `METHOD PATH`.
    """

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.exports: dict[int, dict[str, Any]] = {}
        self.views: dict[int, dict[str, Any]] = {}
        self.imports: dict[int, dict[str, Any]] = {}
        self.stores: list[dict[str, Any]] = []
        self.picture = b"picture"
        """What it gives for each picture."""
        self.background, self.dropping, self.legacy = False, 0, True
        self.stuck = self.failing = False
        self.access: set[str] = set()
        self.asked: list[str] = []
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                with fake._lock:
                    status, content = fake._handle(self.command, self.path, body, self.headers)
                data = (
                    content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -----------------------------------------------------------------------------------------
    # What tests do behind our back

    def annotate(self, task: int, user: int, result: list[Any], **fields: Any) -> dict[str, Any]:
        """An annotation by a user."""
        said = {
            "id": next(self._number), "completed_by": user, "result": result, "was_cancelled": False,
            "unique_id": str(uuid.uuid4()), "created_at": _now(), "updated_at": _now(), **fields,
        }  # fmt: skip
        self.tasks[task]["annotations"].append(said)
        self.tasks[task]["updated_at"] = _now()
        return said

    def unannotate(self, task: int, annotation: int, *, quietly: bool = False) -> None:
        """Delete an annotation; quietly as the server deletes many at once: the task isn't touched."""
        self.tasks[task]["annotations"] = [a for a in self.tasks[task]["annotations"] if a["id"] != annotation]
        if not quietly:
            self.tasks[task]["updated_at"] = _now()

    def by_record(self) -> dict[str, list[int]]:
        """Numbers of the tasks of each record."""
        found: dict[str, list[int]] = {}
        for number, task in self.tasks.items():
            if "record_id" in task["data"]:
                found.setdefault(task["data"]["record_id"], []).append(number)
        return found

    def add_project(self, **fields: Any) -> int:
        number = next(self._number)
        self.projects[number] = {"id": number, "title": "", "description": "", "label_config": "<View/>", **fields}
        return number

    def add_tasks(self, project: int, tasks: list[dict[str, Any]]) -> list[int]:
        numbers = []
        for task in tasks:
            number = next(self._number)
            numbers.append(number)
            self.tasks[number] = {
                "id": number, "project": project, "data": task["data"], "meta": task.get("meta", {}),
                "predictions": [{"id": next(self._number), **p} for p in task.get("predictions", ())],
                "annotations": [], "updated_at": _now(),
            }  # fmt: skip
        return numbers

    # -----------------------------------------------------------------------------------------

    def _handle(self, method: str, target: str, body: bytes, headers: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {parts.path}")
        content = json.loads(body) if body and headers.get("Content-Type", "").startswith("application/json") else None
        if parts.path == "/api/token/refresh":
            if content["refresh"] != PERSONAL:
                return 401, {"detail": f"Token {content['refresh']} is invalid or expired"}
            access = f"eyJhbGciOiJIUzI1NiJ9.{uuid.uuid4().hex}.c2ln"
            self.access.add(access)
            return 200, {"access": access}
        said = headers.get("Authorization", "")
        if said == f"Token {TOKEN}" and not self.legacy:
            return 401, {"detail": "legacy token authentication has been disabled for this organization"}
        if said != f"Token {TOKEN}" and said.removeprefix("Bearer ") not in self.access:
            return 401, {"detail": f"Invalid token {said}"}
        for pattern, call in self._routes().items():
            verb, path = pattern.split(" ")
            found = re.fullmatch(path, parts.path)
            if verb == method and found:
                result: tuple[int, Any] = call(query, content, *map(int, found.groups()))
                return result
        return 404, {"detail": "Not found."}

    def _routes(self) -> dict[str, Callable[..., tuple[int, Any]]]:
        return {
            "GET /api/version": lambda q, c: (200, {"release": "1.23.2"}),
            "GET /api/current-user/whoami": lambda q, c: (200, USERS[0]),
            "GET /api/users/": lambda q, c: (200, USERS),
            "GET /api/jwt/settings": lambda q, c: (200, {"legacy_api_tokens_enabled": self.legacy}),
            "GET /api/projects/": lambda q, c: (
                200,
                {"count": len(self.projects), "results": list(self.projects.values())},
            ),
            "POST /api/projects/": lambda q, c: (201, {"id": self.add_project(**c)}),
            r"GET /api/projects/(\d+)/": self._project,
            r"PATCH /api/projects/(\d+)/": lambda q, c, p: (200, self.projects[p].update(c)),
            r"POST /api/projects/(\d+)/import": self._import,
            r"GET /api/projects/(\d+)/imports/(\d+)": lambda q, c, p, i: (200, self.imports[i]),
            "GET /api/tasks": self._list,
            r"DELETE /api/projects/(\d+)/": lambda q, c, p: (204 if self.projects.pop(p, None) else 404, None),
            r"GET /api/tasks/(\d+)/": lambda q, c, t: (200, self.tasks[t]) if t in self.tasks else (404, None),
            r"GET /api/tasks/(\d+)/annotations/": lambda q, c, t: (
                200,
                [{name: said[name] for name in said if name != "unique_id"} for said in self.tasks[t]["annotations"]],
            ),
            r"PATCH /api/tasks/(\d+)/": lambda q, c, t: (200, self.tasks[t].update(c)),
            r"DELETE /api/tasks/(\d+)/": lambda q, c, t: (204 if self.tasks.pop(t, None) else 404, None),
            "GET /api/predictions/": lambda q, c: (200, self.tasks[int(q["task"])]["predictions"]),
            "POST /api/predictions/": self._predict,
            r"DELETE /api/predictions/(\d+)/": self._unpredict,
            "GET /api/dm/views/": lambda q, c: (200, list(self.views.values())),
            "POST /api/dm/views/": self._view,
            r"DELETE /api/dm/views/(\d+)/": lambda q, c, v: (204 if self.views.pop(v, None) else 404, None),
            r"POST /api/projects/(\d+)/exports/": self._export,
            r"GET /api/projects/(\d+)/exports/(\d+)": self._exported,
            r"GET /api/projects/(\d+)/exports/(\d+)/download": lambda q, c, p, e: (
                (200, self.exports[e]["content"]) if e in self.exports else (404, None)
            ),
            r"DELETE /api/projects/(\d+)/exports/(\d+)": lambda q, c, p, e: (
                204 if self.exports.pop(e, None) else 404,
                None,
            ),
            "GET /api/storages/localfiles/": lambda q, c: (200, self.stores),
            "POST /api/storages/localfiles/": lambda q, c: (201, self.stores.append(c)),
            "GET /data/local-files/": lambda q, c: (
                (200, self.picture) if self.stores else (404, {"detail": "no storage"})
            ),
        }

    def _project(self, query: Any, content: Any, number: int) -> tuple[int, Any]:
        if number not in self.projects:
            return 404, {"detail": "Not found."}
        tasks = [task for task in self.tasks.values() if task["project"] == number]
        skipped = [bool(said["was_cancelled"]) for task in tasks for said in task["annotations"]]
        counts = {"total_annotations_number": skipped.count(False), "skipped_annotations_number": skipped.count(True)}
        return 200, {**self.projects[number], "task_number": len(tasks), **counts}

    def _import(self, query: Any, content: Any, project: int) -> tuple[int, Any]:
        kept = content[: len(content) - self.dropping]
        self.dropping = 0
        number = next(self._number)
        if self.stuck or self.failing:
            told = {"status": "failed", "error": "no space left"} if self.failing else {"status": "in_progress"}
            self.imports[number] = told
            return 201, {"import": number}
        self.add_tasks(project, kept)
        if not self.background:
            return 201, {"task_count": len(kept)}
        self.imports[number] = {"status": "completed", "task_count": len(kept)}
        return 201, {"import": number}

    def _list(self, query: Any, content: Any) -> tuple[int, Any]:
        tasks = [task for task in self.tasks.values() if task["project"] == int(query["project"])]
        size, page = int(query["page_size"]), int(query["page"])
        told = [
            {
                **{name: task[name] for name in ("id", "meta", "data")},
                "total_annotations": sum(not said["was_cancelled"] for said in task["annotations"]),
                "cancelled_annotations": sum(said["was_cancelled"] for said in task["annotations"]),
            }
            for task in tasks[(page - 1) * size : page * size]
        ]
        return 200, {"total": len(tasks), "tasks": told}

    def _predict(self, query: Any, content: Any) -> tuple[int, Any]:
        self.tasks[content["task"]]["predictions"].append({"id": next(self._number), **content})
        return 201, {}

    def _unpredict(self, query: Any, content: Any, number: int) -> tuple[int, Any]:
        for task in self.tasks.values():
            task["predictions"] = [p for p in task["predictions"] if p["id"] != number]
        return 204, None

    def _view(self, query: Any, content: Any) -> tuple[int, Any]:
        number = next(self._number)
        self.views[number] = {"id": number, **content}
        return 201, self.views[number]

    def _export(self, query: Any, content: Any, project: int) -> tuple[int, Any]:
        (*_, condition) = self.views[content["task_filter_options"]["view"]]["data"]["filters"]["items"]
        since = condition["value"] if condition["type"] == "Datetime" else ""
        tasks = [
            task for task in self.tasks.values()
            if task["project"] == project and (since or task["annotations"]) and task["updated_at"] >= since
        ]  # fmt: skip
        number = next(self._number)
        self.exports[number] = {"content": json.dumps(tasks).encode(), "looks": 0}
        return 201, {"id": number, "status": "created"}

    def _exported(self, query: Any, content: Any, project: int, number: int) -> tuple[int, Any]:
        if number not in self.exports:
            return 404, {"detail": "Not found."}
        self.exports[number]["looks"] += 1
        done = self.exports[number]["looks"] > 1 and not self.stuck
        return 200, {"status": "completed" if done else "in_progress"}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
