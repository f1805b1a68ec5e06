"""Withdraw versions from the Hub: their tags go, and the history that leads to them with them, as far as we can reach.

The Hub squashes branches, not tags, and a tag keeps all commits before it. So each version that stays gets a commit of
its own without history, and its tag is set anew on that: its content, and so its digest, is the same; its commit isn't.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.folder import own_folder
from offside_data.dataset.versions import parse_version
from offside_data.errors import HubError, ReleaseError, UsageError
from offside_data.hub.client import HubRepo
from offside_data.hub.commits import require_state
from offside_data.hub.publishing import tag_of
from offside_data.hub.remote import RemoteState, identity_at, refs_of
from offside_data.progress import log

_KEEP = "offside-keep-"
"""How branches begin that hold a version while its tag is set anew."""


@dataclass(frozen=True, kw_only=True)
class WithdrawReport:
    """What was withdrawn.

    Args:
        repo: `org/name`.
        withdrawn: Versions whose tags went.
        kept: Versions that are still there.
        absent: Versions that were asked for and weren't there, withdrawn before or never published.
        out_of_reach: Where they may still be, as sentences.
    """

    repo: str
    withdrawn: Sequence[str]
    kept: Sequence[str]
    absent: Sequence[str]
    out_of_reach: Sequence[str]


def withdraw(folder: str | Path, repo: str, versions: Sequence[str], *, dry_run: bool = False) -> WithdrawReport:
    """Withdraw versions of a dataset from the Hub. Killed and run again, it goes on.

    Args:
        folder: The dataset folder; it must be the one that was published.
        repo: `org/name`.
        versions: Which.
        dry_run: Change nothing.

    Raises:
        UsageError: If a version can't be one, or the repository holds another dataset.
        ReleaseError: If `main` still is at one of them.
        HubError: If the Hub refuses, or doesn't answer.
    """
    from offside_data.dataset.card import read_identity

    for version in versions:
        try:
            parse_version(version)
        except ValueError as error:
            raise UsageError(f"--withdraw: {error}") from None
    target = HubRepo(repo)
    state = require_state(target)
    name = read_identity(own_folder(folder)).name
    there = identity_at(target, state.head)
    if there is None or there.name != name:
        raise UsageError(f"{repo} doesn't hold the dataset {name!r}, so nothing of it is withdrawn.")
    if there.version in versions:
        raise ReleaseError(
            f"{repo}: main is at {there.version}, so withdrawing its tag would hide nothing. Publish a newer version "
            "without what must go, then withdraw this one."
        )
    versions = list(dict.fromkeys(versions))
    there_now = [version for version in versions if tag_of(version) in state.tags]
    kept = [tag for tag in state.tags if _is_version(tag) and tag[1:] not in versions]
    if not dry_run:
        kept = _carry_out(target, [tag_of(version) for version in versions], {*state.tags}, kept)
    return WithdrawReport(
        repo=repo,
        withdrawn=there_now,
        kept=sorted((tag[1:] for tag in kept), key=parse_version),
        absent=[version for version in versions if version not in there_now],
        out_of_reach=_out_of_reach(state),
    )


def _is_version(tag: str) -> bool:
    try:
        return tag.startswith("v") and bool(parse_version(tag[1:]))
    except ValueError:
        return False


def _carry_out(repo: HubRepo, asked: Sequence[str], tags: Collection[str], kept: Sequence[str]) -> list[str]:
    """Take tags away, and give what stays commits without history; the tags that are there after that.

    What has none already is left alone: who pinned its commit finds it.
    """
    api = repo.api
    for tag in [tag for tag in asked if tag in tags]:
        log(f"{repo.name}: deleting the tag {tag} …")
        _unless_missing(lambda: repo.call("delete a tag", api.delete_tag, repo.name, tag=tag, repo_type=repo.kind))  # noqa: B023
    branches = {ref.name for ref in refs_of(repo).branches}
    left = {name.removeprefix(_KEEP) for name in branches if name.startswith(_KEEP)}
    for tag in sorted(left & {*asked}):  # Of an earlier withdrawal that stopped: it holds what is to go.
        _unless_missing(
            lambda: repo.call("clear up", api.delete_branch, repo.name, branch=f"{_KEEP}{tag}", repo_type=repo.kind)  # noqa: B023
        )
    left -= {*asked}
    remaining = list(dict.fromkeys([*kept, *sorted(left)]))
    for tag in remaining:
        if tag in left or _has_history(repo, tag):
            _set_anew(repo, tag)
    if _has_history(repo, "main"):
        log(f"{repo.name}: squashing main …")
        repo.call("squash its history", api.super_squash_history, repo.name, branch="main", repo_type=repo.kind)
    return remaining


def _has_history(repo: HubRepo, revision: str) -> bool:
    commits = repo.call(
        "list its commits", repo.api.list_repo_commits, repo.name, revision=revision, repo_type=repo.kind
    )
    return len(commits) > 1


def _set_anew(repo: HubRepo, tag: str) -> None:
    """Give a tag a commit without history; what an earlier try left is gone on from."""
    api, branch = repo.api, f"{_KEEP}{tag}"
    log(f"{repo.name}: setting {tag} on a commit without history …")
    refs = refs_of(repo)
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    if branch not in {ref.name for ref in refs.branches}:
        repo.call(
            "keep a version",
            api.create_branch,
            repo.name,
            branch=branch,
            revision=tags[tag],
            repo_type=repo.kind,
            exist_ok=True,
        )
    repo.call("squash a version", api.super_squash_history, repo.name, branch=branch, repo_type=repo.kind)
    head = next(ref.target_commit for ref in refs_of(repo).branches if ref.name == branch)
    if tags.get(tag) != head:
        _unless_missing(lambda: repo.call("move a tag", api.delete_tag, repo.name, tag=tag, repo_type=repo.kind))
        repo.call("move a tag", api.create_tag, repo.name, tag=tag, revision=head, repo_type=repo.kind, exist_ok=True)
    repo.call("clear up", api.delete_branch, repo.name, branch=branch, repo_type=repo.kind)


def _unless_missing(work: Callable[[], object]) -> None:
    try:
        work()
    except HubError as error:
        if error.status != 404:  # Gone already.
            raise


def _out_of_reach(state: RemoteState) -> list[str]:
    pulls = [f"pull requests {', '.join(map(str, sorted(state.pulls)))}: delete their refs on the Hub's page"]
    return [
        *(pulls if state.pulls else []),
        "large files that no commit holds any more: the Hub stores them until its owner deletes them in the "
        "repository's settings",
        "copies that were downloaded, duplicated or cached elsewhere",
        "commits of the versions that stay have new names: who pinned the old ones finds them by version or digest",
    ]
