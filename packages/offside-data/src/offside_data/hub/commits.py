"""One atomic commit on the Hub, made on the state that was seen: built anew whenever that state has moved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from offside_data.errors import HubError, HubNotFoundError
from offside_data.figures import counted
from offside_data.hub.client import ATTEMPTS, HubRepo, wait_for
from offside_data.hub.remote import FileChange, RemoteState, read_state
from offside_data.progress import log

CONFLICTS = (409, 412)
"""What the Hub answers where somebody else was there before us."""
_NO_SUCH_ROUTE = 404


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What came of it.

    Args:
        state: The repository as it was before.
        commit: The commit that holds the files now.
        changes: What was changed; nothing if everything was there.
        pull: The number of the pull request that holds them.
    """

    state: RemoteState
    commit: str
    changes: Sequence[FileChange]
    pull: int | None = None


def require_state(repo: HubRepo) -> RemoteState:
    """The state of a repository that must be there.

    Raises:
        HubError: If it isn't.
    """
    state = read_state(repo)
    if state is None:
        raise HubNotFoundError(f"There is no {repo.kind} {repo.name} on the Hub, or this token may not see it.")
    return state


def commit_files(
    repo: HubRepo,
    prepare: Callable[[RemoteState], Sequence[FileChange]],
    message: str,
    *,
    opened: Callable[[RemoteState], int | None] | None = None,
) -> Committed:
    """Bring files into a repository, in one commit on the state that `prepare` saw.

    Large files are uploaded first, by content: what an earlier try uploaded isn't sent again.

    Args:
        repo: The repository.
        prepare: What is to be changed in a state; called anew after each conflict.
        message: Of the commit.
        opened: Given for a pull request instead of a commit on `main`: the number of the one that holds this already.

    Raises:
        HubError: If it can't be done.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    for attempt in range(1, ATTEMPTS + 1):
        state = require_state(repo)
        changes = prepare(state)
        if not changes:
            return Committed(state=state, commit=state.head, changes=())
        number = opened(state) if opened else None
        if number is not None:
            return Committed(state=state, commit=state.pulls[number], changes=(), pull=number)
        size = sum(change.size for change in changes)
        log(f"{repo.name}: uploading {counted(len(changes), 'file')} ({size / 1e6:,.1f} MB) on {state.head[:7]} …")
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationDelete(path_in_repo=change.path)
            if change.action == "delete"
            else CommitOperationAdd(path_in_repo=change.path, path_or_fileobj=change.content)
            for change in changes
        ]
        try:
            with _storage_of(repo):
                info = repo.once(
                    "commit to it",
                    repo.api.create_commit,
                    repo.name,
                    operations,
                    commit_message=message,
                    repo_type=repo.kind,
                    parent_commit=state.head,
                    create_pr=opened is not None,
                )
        except HubError as error:
            if attempt == ATTEMPTS or not (error.passing or error.status in CONFLICTS):
                raise
            if error.status in CONFLICTS:
                log(f"{repo.name} was changed by somebody else meanwhile; beginning again with what is there now.")
            else:
                wait_for(error, attempt)
            continue
        return Committed(state=state, commit=info.oid, changes=changes, pull=info.pr_num)
    raise AssertionError("the last attempt returns or raises")


@contextlib.contextmanager
def _storage_of(repo: HubRepo) -> Iterator[None]:
    """Upload large files the way that this Hub stores them.

    With Xet on, the client uploads through it without asking whether the Hub has it, and fails where it hasn't: an
    older one, a mirror. Downloads go by what each file's answer says, so nothing is needed for them.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils._runtime import is_xet_available

    if not is_xet_available() or _has_xet(repo):
        yield
        return
    log(f"{repo.name}: this Hub has no Xet storage; uploading without it.")
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = False


def _has_xet(repo: HubRepo) -> bool:
    """Whether a Hub gives out tokens for its Xet storage.

    Raises:
        HubError: If it can't be asked.
    """
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._xet import (
        XetFileData,
        XetTokenType,
        refresh_xet_connection_info,
        xet_connection_info_refresh_url,
    )

    route = xet_connection_info_refresh_url(
        token_type=XetTokenType.WRITE, repo_id=repo.name, repo_type=repo.kind, revision="main"
    )
    try:
        repo.once(
            "ask how it stores large files",
            refresh_xet_connection_info,
            file_data=XetFileData(file_hash="", refresh_route=route),
            headers=build_hf_headers(),
        )
    except HubError as error:
        if error.status == _NO_SUCH_ROUTE or (error.status is None and not error.passing):  # Or a page of another sort.
            return False
        raise
    return True
