"""What the loopback Hub keeps: repositories with commits, branches, tags and pull requests, all in memory."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LFS_ENDINGS = (".parquet", ".safetensors", ".bin", ".png", ".jpg", ".zip")
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool = False

    @property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Commit:
    files: Mapping[str, Blob]
    parent: str | None
    title: str
    author: str
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()))


class RefusedError(Exception):
    """An answer of the Hub that isn't what was asked for."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Repo:
    """A repository; `blobs` are the files that were uploaded, of all repositories.

    `ended` says how pull requests ended; their refs stay, as on the Hub.
    """

    kind: str
    name: str
    private: bool
    blobs: dict[str, bytes]
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = {".gitattributes": Blob(b"*.parquet filter=lfs\n")}
        self.branches["main"] = self.add_commit(first, None, "initial commit", "the Hub")

    def add_commit(self, files: Mapping[str, Blob], parent: str | None, title: str, author: str) -> str:
        sha = hashlib.sha1(f"{self.name} {title} {parent} {next(_NUMBERS)}".encode()).hexdigest()
        self.commits[sha] = Commit(dict(files), parent, title, author)
        return sha

    def find(self, revision: str) -> str:
        """The commit that a revision names."""
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for known in (self.branches, self.tags, self.pulls):
            if short in known:
                return known[short]
        if short in self.commits:
            return short
        raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def files(self, revision: str = "main") -> Mapping[str, Blob]:
        return self.commits[self.find(revision)].files

    def text(self, path: str, revision: str = "main") -> str:
        return self.files(revision)[path].data.decode()

    def history(self, revision: str = "main") -> list[Commit]:
        """The commits that a revision leads to, the newest first."""
        found, sha = [], self.find(revision)
        while sha:
            found.append(self.commits[sha])
            sha = found[-1].parent or ""
        return found

    def edit(self, path: str, data: bytes | str, *, author: str = "somebody", branch: str = "main") -> str:
        """Change a file as somebody would on the Hub's page."""
        content = data.encode() if isinstance(data, str) else data
        head = self.branches[branch]
        files = {**self.commits[head].files, path: Blob(content)}
        self.branches[branch] = self.add_commit(files, head, f"Update {path}", author)
        return self.branches[branch]

    def merge(self, number: int) -> str:
        """Merge a pull request: its files on what is on main now."""
        opened = self.commits[self.pulls[f"refs/pr/{number}"]]
        assert opened.parent is not None
        before = self.commits[opened.parent].files
        head = self.branches["main"]
        files = {**self.commits[head].files, **{n: b for n, b in opened.files.items() if before.get(n) != b}}
        files = {name: blob for name, blob in files.items() if name in opened.files or name not in before}
        self.branches["main"] = self.add_commit(files, head, opened.title, "a maintainer")
        self.ended[f"refs/pr/{number}"] = "merged"
        return self.branches["main"]

    def close(self, number: int) -> None:
        """Close a pull request without merging it."""
        self.ended[f"refs/pr/{number}"] = "closed"

    def commit(self, revision: str, lines: Iterable[bytes], author: str, *, pull: bool) -> tuple[str, str | None]:
        """Carry out a commit as it is sent, line by line.

        Returns:
            The new commit; the pull request that it opened.
        """
        base = self.find(revision)
        files, title = dict(self.commits[base].files), ""
        for line in lines:
            item = json.loads(line)
            value: dict[str, Any] = item["value"]
            if item["key"] == "header":
                title = value["summary"]
                if value.get("parentCommit") not in (None, base):
                    message = "A commit has happened since. Please refresh and try again."
                    raise RefusedError(412, "PreconditionFailed", message)
            elif item["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]))
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.blobs:
                    raise RefusedError(400, "BadRequest", f"{value['path']}: the file was never uploaded")
                files[value["path"]] = Blob(self.blobs[value["oid"]], lfs=True)
            elif item["key"] == "deletedFile" and files.pop(value["path"], None) is None:
                raise RefusedError(404, "EntryNotFound", "A file with this name doesn't exist")
        sha = self.add_commit(files, base, title, author)
        if pull:
            number = f"refs/pr/{len(self.pulls) + 1}"
            self.pulls[number] = sha
            return sha, number
        self.branches[revision] = sha
        return sha, None

    def squash(self, branch: str, title: str) -> None:
        files = self.files(branch)
        self.branches[branch] = self.add_commit(files, None, title, "the Hub")

    def reachable(self) -> set[str]:
        """SHA-256 of every file that a branch, tag or pull request leads to."""
        names = [*self.branches, *self.tags, *self.pulls]
        commits = [commit for name in names for commit in self.history(name)]
        return {blob.sha256 for commit in commits for blob in commit.files.values()}
