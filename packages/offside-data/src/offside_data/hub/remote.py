"""What lies in a repository on the Hub now: its commit, tags, pull requests and files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offside_data.dataset.card import FILE_NAME as CARD_FILE
from offside_data.dataset.card import read_identity
from offside_data.dataset.card_block import CardIdentity
from offside_data.errors import CardError, HubError, HubNotFoundError
from offside_data.files import sha256_file
from offside_data.hub.client import NOT_TRUSTED, HubRepo
from offside_data.limits import CARD
from offside_data.reading import read_small

if TYPE_CHECKING:
    from huggingface_hub import GitRefs

_DIGITS = {"commit": (40,), "checksum": (40, 64)}
"""How many hexadecimal digits the names have that the Hub gives to what it keeps."""
_SHOWN = 80
_PULL = "refs/pr/"
_HARMLESS = (CARD_FILE, ".gitattributes", "LICENSE", ".gitignore")
"""What the Hub itself, or whoever made a repository, puts into it."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the Hub.

    Args:
        size: In bytes.
        oid: Its git id, of the file or of what points to it.
        sha256: Of its content, where it is stored as a large file.
    """

    size: int
    oid: str
    sha256: str | None

    def holds(self, content: Path | bytes) -> bool:
        """Whether this is its content."""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if size != self.size:
            return False
        if self.sha256 is not None:
            found = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_file(content)
            return found == self.sha256
        data = content if isinstance(content, bytes) else content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == self.oid


@dataclass(frozen=True, kw_only=True)
class RemoteState:
    """A repository at one moment.

    Args:
        head: The commit of `main`.
        tags: Commits by tag.
        pulls: Commits by number of the pull request.
        files: What `main` holds.
        private: Whether only its owners see it.
    """

    head: str
    tags: Mapping[str, str]
    pulls: Mapping[int, str]
    files: Mapping[str, RemoteFile]
    private: bool


NOTHING = RemoteState(head="", tags={}, pulls={}, files={}, private=True)
"""A repository that isn't made yet."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that a commit would change.

    Args:
        path: Its name in the repository.
        action: What happens to it.
        size: Bytes of its new content.
        content: Its new content.
    """

    path: str
    action: Literal["add", "change", "delete"]
    size: int = 0
    content: Path | bytes = b""

    def told(self) -> dict[str, Any]:
        """For people and programs: its path, what happens to it, and its bytes."""
        return {"path": self.path, "action": self.action, "bytes": self.size}


def read_state(repo: HubRepo) -> RemoteState | None:
    """Read the state of a repository; null if there is none (that this token may see).

    Raises:
        HubError: If it can't be read.
    """
    try:
        info = repo.ask("read it", repo.api.repo_info, revision="main")
    except HubNotFoundError:
        return None
    head = _require_hash(repo, "commit", info.sha)
    refs = refs_of(repo, pull_requests=True)
    pulls = {ref.ref: ref.target_commit for ref in refs.pull_requests or ()}
    return RemoteState(
        head=head,
        tags={ref.name: ref.target_commit for ref in refs.tags},
        pulls={
            int(name.removeprefix(_PULL)): commit
            for name, commit in pulls.items()
            if name.removeprefix(_PULL).isdigit()
        },
        files=files_at(repo, head),
        private=bool(info.private),
    )


def refs_of(repo: HubRepo, *, pull_requests: bool = False, patient: bool = True) -> GitRefs:
    """Branches, tags and pull requests, each with its commit.

    Args:
        repo: The repository.
        pull_requests: Whether these are wanted, too.
        patient: Whether to ask again while the Hub can't be had.

    Raises:
        HubError: If they can't be listed, or a commit isn't one.
    """
    ask = repo.call if patient else repo.once
    refs = ask(
        "list its versions",
        repo.api.list_repo_refs,
        repo.name,
        repo_type=repo.kind,
        include_pull_requests=pull_requests,
    )
    for ref in (*refs.branches, *refs.tags, *(refs.pull_requests or ())):
        _require_hash(repo, "commit", ref.target_commit)
    return refs


def _require_hash(repo: HubRepo, what: Literal["commit", "checksum"], told: object) -> str:
    """The name of a commit or a content: the client's cache makes files and folders of it.

    Raises:
        HubError: If it is none.
    """
    lengths = _DIGITS[what]
    if not isinstance(told, str) or len(told) not in lengths or not re.fullmatch("[0-9a-f]+", told):
        raise HubError(
            f"{repo.name}: the Hub names a {what} {str(told)[:_SHOWN]!r}, which can't be one: it has "
            f"{' or '.join(map(str, lengths))} hexadecimal digits. {NOT_TRUSTED}"
        )
    return told


def files_at(repo: HubRepo, commit: str) -> dict[str, RemoteFile]:
    """The files of a commit by name.

    Raises:
        HubError: If they can't be listed, or have checksums that are none.
    """

    def listed() -> dict[str, RemoteFile]:
        from huggingface_hub.hf_api import RepoFile

        tree = repo.api.list_repo_tree(repo.name, repo_type=repo.kind, revision=commit, recursive=True)
        return {
            entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in tree
            if isinstance(entry, RepoFile)
        }

    files = repo.call("list its files", listed)
    for file in files.values():
        _require_hash(repo, "checksum", file.sha256 or file.oid)
    return files


def file_at(repo: HubRepo, path: str, commit: str, stated: RemoteFile) -> Path:
    """Download a small file, and make sure that it is what the Hub says.

    Raises:
        HubError: If it can't be read, or arrives damaged again and again.
    """
    download: Callable[..., str] = repo.api.hf_hub_download
    for again in (False, True):
        found = Path(repo.ask(f"read {path}", download, path, revision=commit, force_download=again))
        if stated.holds(found):
            return found
    raise HubError(f"{repo.name}: {path} arrives damaged: its checksum isn't what the Hub says. Try again later.")


def card_at(repo: HubRepo, commit: str) -> Path | None:
    """The card of a commit; null if there is none."""
    stated = files_at(repo, commit).get(CARD_FILE)
    return None if stated is None else file_at(repo, CARD_FILE, commit, stated)


def read_card(card: Path, repo: HubRepo) -> str:
    """The text of a card that was downloaded.

    Raises:
        CardError: If it is none.
    """
    try:
        return read_small(card, error=CardError, limit=CARD, encoding="utf-8-sig")
    except CardError as error:
        raise CardError(f"{CARD_FILE} of {repo.name} on the Hub: {error}") from None


def identity_at(repo: HubRepo, commit: str) -> CardIdentity | None:
    """What the card of a commit says that it is; null if it is none of ours."""
    card = card_at(repo, commit)
    if card is None:
        return None
    try:
        return read_identity(card)
    except CardError:
        return None


def others_in(state: RemoteState) -> list[str]:
    """What `main` holds besides a page and what the Hub puts there."""
    return sorted(name for name in state.files if name not in _HARMLESS)


def changes_to(
    state: RemoteState, files: Mapping[str, Path | bytes], ours: Callable[[str], bool]
) -> Sequence[FileChange]:
    """What a commit must change so that a repository holds these files.

    Args:
        state: The repository.
        files: Contents by name.
        ours: Whether a file that isn't among them is to go.
    """
    changes = []
    for path, content in sorted(files.items()):
        there = state.files.get(path)
        if there is None or not there.holds(content):
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            changes.append(FileChange(path, "change" if there else "add", size, content))
    gone = sorted(path for path in state.files if path not in files and ours(path))
    return [*changes, *(FileChange(path, "delete") for path in gone)]
