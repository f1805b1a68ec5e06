"""A Hub on this machine: it speaks what the real `huggingface_hub` client and `datasets` ask for, and fails on command.

    with LoopbackHub() as hub:
        hub.fail("POST", r"/commit/", "status", status=503, times=2)
        subprocess.run([...], env=hub.environment(home))

    python loopback_hub.py          # prints its address, and serves until its input ends

What can go wrong: `Fault.kind` below. Xet storage isn't spoken: there is no route for its tokens, and no file names
a hash of it. `HF_HUB_DISABLE_XET` is set but where tests say otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep  # Tests replace `time.sleep`.
from typing import Any, Literal, Self

sys.path.append(str(Path(__file__).parent))

from hub_repos import LFS_ENDINGS, Blob, RefusedError, Repo

TOKEN = "hf_" + "LoopbackTokenOfATester" + "0123456789"
"""A token that the server takes; tests look for it wherever something is written."""
USER = "tester"
ORGS = ("org",)
_PLACES = {"datasets": "dataset", "models": "model", "spaces": "space"}

Kind = Literal["status", "cut", "lost-answer", "slow", "truncate", "corrupt", "conflict", "call"]


@dataclass
class Fault:
    """Something that goes wrong with requests.

    Args:
        method: Of the request.
        path: A regular expression that is searched in its path.
        kind: `status` answers with one; `cut` closes the connection before anything was done, `lost-answer` after;
            `slow` sends the answer's body bit by bit; `truncate` sends half of it; `corrupt` changes a byte;
            `conflict` lets somebody else commit just before; `call` only calls `then`.
        times: How many requests; those after pass.
        skip: How many requests pass before.
        status: The status.
        headers: Further headers of the answer.
        then: What is called before anything else.
    """

    method: str
    path: str
    kind: Kind
    times: int = 1
    skip: int = 0
    status: int = 503
    headers: Mapping[str, str] | None = None
    then: Callable[[], Any] | None = None

    def takes(self, method: str, path: str) -> bool:
        if not self.times or method != self.method or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class LoopbackHub:
    """The server, in a thread of this process.

    Attributes:
        repos: By kind and name, e.g. `("dataset", "org/league")`.
        tokens: Who each token stands for; one that isn't there is refused.
        log: `METHOD path` of every request.
        faults: What goes wrong next.
    """

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.tokens = {TOKEN: USER}
        self.log: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, method: str, path: str, kind: Kind, **options: Any) -> Fault:
        self.faults.append(Fault(method, path, kind, **options))
        return self.faults[-1]

    def dataset(self, name: str) -> Repo:
        return self.repos["dataset", name]

    def model(self, name: str) -> Repo:
        return self.repos["model", name]

    def environment(self, home: Path, *, token: str | None = TOKEN, offline: bool = False) -> dict[str, str]:
        """The variables that send a program here; `home` is its cache, as on a machine of its own."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))}
        return {
            **inherited,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": str(int(offline)),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **({"HF_TOKEN": token} if token else {}),
        }

    def create(self, kind: str, name: str, *, private: bool) -> Repo:
        repo = Repo(kind, name, private, self.blobs)
        self.repos[kind, name] = repo
        return repo


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        self.hub: LoopbackHub = self.server.hub  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.hub.lock:
            self.hub.log.append(f"{self.command} {self.path}")
            self.fault = next((f for f in self.hub.faults if f.takes(self.command, self.path)), None)
        kind = self.fault.kind if self.fault else ""
        if self.fault and self.fault.then:
            self.fault.then()
        if kind == "cut":
            self._hang_up()
            return
        if self.fault and kind == "status":
            message = f"planted failure {self.fault.status}"
            self._send(self.fault.status, {"error": message}, dict(self.fault.headers or {}))
            return
        with self.hub.lock:
            if kind == "conflict":
                for repo in self.hub.repos.values():
                    if f"/{repo.name}/" in self.path:
                        repo.edit("notes.txt", f"A note {len(repo.commits)}.\n")
            try:
                answer = self._route(body)
            except RefusedError as refused:
                headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
                answer = refused.status, {"error": refused.message}, headers
        if kind == "lost-answer":
            self._hang_up()
            return
        self._send(*answer)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _handle  # noqa: N815 - so the library calls them.

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, content: Any = b"", headers: Mapping[str, str] | None = None) -> None:
        plain = isinstance(content, bytes)
        body: bytes = content if plain else json.dumps(content).encode()
        kind = self.fault.kind if self.fault else ""
        self.send_response(status)
        kinds = {"Content-Type": "application/octet-stream" if plain else "application/json"}
        for name, value in {**kinds, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "corrupt" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
        if kind == "truncate":
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
        elif kind == "slow":
            for start in range(0, len(body), max(1, len(body) // 8)):
                self.wfile.write(body[start : start + max(1, len(body) // 8)])
                self.wfile.flush()
                sleep(0.05)
        else:
            self.wfile.write(body)

    # -----------------------------------------------------------------------------------------

    def _route(self, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        path = parts.path
        self.user = self._user()
        if path == "/api/whoami-v2":
            if self.user is None:
                raise RefusedError(401, "Unauthorized", "Invalid username or password.")
            orgs = [{"name": name} for name in ORGS]
            return 200, {"type": "user", "id": "1", "name": self.user, "orgs": orgs, "auth": {}}, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if match := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(self._repo(match[1], match[2]), json.loads(body))
        if path.startswith("/upload/"):
            return self._upload(path.rpartition("/")[2], body)
        if not path.startswith("/api/"):
            match = re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            if match:
                revision, file = urllib.parse.unquote(match[3]), urllib.parse.unquote(match[4])
                return self._resolve(self._repo(match[1], match[2]), revision, file)
        if match := re.fullmatch(r"/api/(datasets|models|spaces)/([^/]+/[^/]+)(?:/([\w-]+)(?:/(.*))?)?", path):
            action = getattr(self, f"_{(match[3] or 'info').replace('-', '_')}", None)
            if action:
                return action(self._repo(match[1], match[2]), match[4] or "", body)  # type: ignore[no-any-return]
        raise RefusedError(404, "NotFound", f"the loopback Hub has no {self.command} {path}")

    def _user(self) -> str | None:
        given = self.headers.get("Authorization") or ""
        if not given:
            return None
        user = self.hub.tokens.get(given.removeprefix("Bearer "))
        if user is None:
            raise RefusedError(401, "Unauthorized", "Invalid credentials in Authorization header")
        return user

    def _repo(self, place: str | None, name: str) -> Repo:
        repo = self.hub.repos.get((_PLACES[place or "models"], name))
        if repo is None or (repo.private and self.user is None):
            raise RefusedError(401 if self.user is None else 404, "RepoNotFound", "Repository not found")
        if self.command in ("POST", "PUT", "DELETE") and self.user is None and "paths-info" not in self.path:
            raise RefusedError(401, "Unauthorized", "Log in to write.")
        return repo

    def _create(self, asked: Mapping[str, Any]) -> tuple[int, Any, Mapping[str, str]]:
        if self.user is None:
            raise RefusedError(401, "Unauthorized", "Log in to create a repository.")
        kind, owner = asked.get("type", "model"), asked.get("organization") or self.user
        if owner not in (self.user, *ORGS):
            raise RefusedError(403, "Forbidden", f"You don't have the rights to create a {kind} under {owner}")
        name = f"{owner}/{asked['name']}"
        url = f"{self.hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.hub.repos:
            return 409, {"error": "You already created this repo", "url": url}, {}
        private = asked.get("private") or asked.get("visibility") == "private"
        self.hub.create(kind, name, private=bool(private))
        return 200, {"url": url, "name": name, "id": name}, {}

    def _batch(self, _repo: Repo, asked: Mapping[str, Any]) -> tuple[int, Any, Mapping[str, str]]:
        told = []
        for item in asked["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/upload/{item['oid']}", "header": {}}}
            there = {} if item["oid"] not in self.hub.blobs else None
            told.append({**item, "authenticated": True, **({"actions": upload} if there is not None else {})})
        return 200, {"transfer": "basic", "objects": told}, {}

    def _upload(self, oid: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        if hashlib.sha256(body).hexdigest() != oid:
            raise RefusedError(400, "BadRequest", "the file isn't what was announced")
        self.hub.blobs[oid] = body
        return 200, b"", {}

    def _resolve(self, repo: Repo, revision: str, file: str) -> tuple[int, Any, Mapping[str, str]]:
        sha = repo.find(revision)
        blob = repo.commits[sha].files.get(file)
        if blob is None:
            raise RefusedError(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob.oid}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.data))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked and self.command == "GET":
            start, end = int(asked[1]), int(asked[2]) if asked[2] else len(blob.data) - 1
            piece = blob.data[start : end + 1]
            return 206, piece, {**headers, "Content-Range": f"bytes {start}-{end}/{len(blob.data)}"}
        return 200, blob.data, headers

    # -----------------------------------------------------------------------------------------
    # /api/…/REPO/ACTION/…

    def _info(self, repo: Repo, _rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        return self._revision(repo, "main", b"")

    def _revision(self, repo: Repo, rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        sha = repo.find(urllib.parse.unquote(rest))
        commit = repo.commits[sha]
        told = {
            "_id": "0" * 24,
            "id": repo.name,
            "author": repo.name.partition("/")[0],
            "sha": sha,
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "lastModified": commit.date,
            "createdAt": commit.date,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": name} for name in sorted(commit.files)],
        }
        return 200, told, {}

    def _refs(self, repo: Repo, _rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        def told(refs: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
            return [{"name": name, "ref": f"{prefix}{name}", "targetCommit": sha} for name, sha in refs.items()]

        refs = {"branches": told(repo.branches, "refs/heads/"), "tags": told(repo.tags, "refs/tags/"), "converts": []}
        if "include_prs" in self.query:
            refs["pullRequests"] = told(repo.pulls, "")
        return 200, refs, {}

    def _tag(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        name = urllib.parse.unquote(rest)
        if self.command == "DELETE":
            if repo.tags.pop(name, None) is None:
                raise RefusedError(404, "RevisionNotFound", "no such tag")
            return 200, b"", {}
        asked = json.loads(body)
        if asked["tag"] in repo.tags:
            raise RefusedError(409, "Conflict", "Tag reference exists already")
        repo.tags[asked["tag"]] = repo.find(name)
        return 201, {}, {}

    def _branch(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        name = urllib.parse.unquote(rest)
        if self.command == "DELETE":
            repo.branches.pop(name, None)
            return 200, b"", {}
        if name in repo.branches:
            raise RefusedError(409, "Conflict", "Reference already exists")
        repo.branches[name] = repo.find(json.loads(body or b"{}").get("startingPoint", "main"))
        return 201, {}, {}

    def _commits(self, repo: Repo, rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        told = []
        sha: str | None = repo.find(urllib.parse.unquote(rest))
        while sha:
            commit = repo.commits[sha]
            named = {"id": sha, "title": commit.title, "message": "", "authors": [{"user": commit.author}]}
            told.append({**named, "date": commit.date})
            sha = commit.parent
        return 200, told, {}

    def _discussions(self, repo: Repo, rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        commit = repo.commits[repo.find(f"refs/pr/{rest}")]
        told = {
            "num": int(rest),
            "title": commit.title,
            "author": {"name": commit.author},
            "createdAt": commit.date,
            "status": repo.ended.get(f"refs/pr/{rest}", "open"),
            "isPullRequest": True,
            "repo": {"name": repo.name, "type": repo.kind},
            "changes": {"base": "refs/heads/main"},
            "filesWithConflicts": [],
            "events": [],
        }
        return 200, told, {}

    def _super_squash(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        name = urllib.parse.unquote(rest)
        if name not in repo.branches:
            raise RefusedError(400, "BadRequest", "only branches can be squashed")
        repo.squash(name, json.loads(body)["message"])
        return 200, {}, {}

    def _settings(self, repo: Repo, _rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        repo.private = json.loads(body)["visibility"] == "private"
        return 200, {"private": repo.private}, {}

    def _tree(self, repo: Repo, rest: str, _body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        revision, _, below = rest.partition("/")
        files = repo.files(urllib.parse.unquote(revision))
        prefix = f"{urllib.parse.unquote(below)}/" if below else ""
        inside = {name: blob for name, blob in sorted(files.items()) if name.startswith(prefix)}
        if prefix and not inside:
            raise RefusedError(404, "EntryNotFound", "path not found")
        whole = self.query.get("recursive", "").lower() in ("true", "1")
        told, folders = [], set()
        for name, blob in inside.items():
            tail = name[len(prefix) :].split("/")
            for depth in range(1, len(tail) if whole else min(2, len(tail))):
                folders.add(prefix + "/".join(tail[:depth]))
            if whole or len(tail) == 1:
                told.append(_entry(name, blob))
        return 200, [*map(_folder, sorted(folders)), *told], {}

    def _paths_info(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        asked = json.loads(body)["paths"] if body[:1] == b"{" else urllib.parse.parse_qs(body.decode())["paths"]
        files = repo.files(urllib.parse.unquote(rest))
        told = [_entry(name, files[name]) for name in asked if name in files]
        told += [_folder(name) for name in asked if any(file.startswith(f"{name}/") for file in files)]
        return 200, told, {}

    def _preupload(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        files = repo.files(urllib.parse.unquote(rest))
        told = []
        for asked in json.loads(body)["files"]:
            name, there = asked["path"], files.get(asked["path"])
            large = name.lower().endswith(LFS_ENDINGS) or asked["size"] > 10 * 2**20
            oid = (there.sha256 if there.lfs else there.oid) if there else None
            mode = "lfs" if large else "regular"
            told.append({"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return 200, {"files": told}, {}

    def _commit(self, repo: Repo, rest: str, body: bytes) -> tuple[int, Any, Mapping[str, str]]:
        lines = [line for line in body.splitlines() if line.strip()]
        pull = "create_pr" in self.query
        sha, number = repo.commit(urllib.parse.unquote(rest), lines, self.user or "", pull=pull)
        place = f"{self.hub.url}/{'' if repo.kind == 'model' else repo.kind + 's/'}{repo.name}"
        told = {"success": True, "commitOid": sha, "commitUrl": f"{place}/commit/{sha}", "hookOutput": ""}
        if number:
            told["pullRequestUrl"] = f"{place}/discussions/{number.rpartition('/')[2]}"
        return 200, told, {}


def _entry(name: str, blob: Blob) -> dict[str, Any]:
    lfs = {"lfs": {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}} if blob.lfs else {}
    return {"type": "file", "path": name, "size": len(blob.data), "oid": blob.oid, **lfs}


def _folder(name: str) -> dict[str, Any]:
    return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0}


if __name__ == "__main__":
    with LoopbackHub() as served:
        print(served.url, flush=True)
        sys.stdin.read()
