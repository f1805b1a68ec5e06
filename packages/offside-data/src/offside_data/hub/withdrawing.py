"""Withdraw versions from the Hub: their tags go, and the history that leads to them with them, as far as we can reach.

The Hub squashes branches, not tags, and a tag keeps all commits before it. So each version that stays gets a commit of
its own without history, and its tag is set anew on that: its content, and so its digest, is the same; its commit isn't.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.card_block import is_version
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
    kept = [tag for tag in state.tags if tag.startswith("v") and is_version(tag[1:]) and tag[1:] not in versions]
    if not dry_run:
        kept = _carry_out(target, [tag_of(version) for version in versions], {*state.tags}, kept)
    return WithdrawReport(
        repo=repo,
        withdrawn=there_now,
        kept=sorted((tag[1:] for tag in kept), key=parse_version),
        absent=[version for version in versions if version not in there_now],
        out_of_reach=_out_of_reach(state),
    )


def _carry_out(repo: HubRepo, asked: Sequence[str], tags: Collection[str], kept: Sequence[str]) -> list[str]:
    """Take tags away, and give what stays commits without history; the tags that are there after that.

    What has none already is left alone: who pinned its commit finds it.
    """
    api = repo.api
    for tag in [tag for tag in asked if tag in tags]:
        log(f"{repo.name}: deleting the tag {tag} …")
        _delete(repo, "delete a tag", api.delete_tag, tag=tag)
    branches = {ref.name for ref in refs_of(repo).branches}
    left = {name.removeprefix(_KEEP) for name in branches if name.startswith(_KEEP)}
    for tag in sorted(left & {*asked}):  # Of an earlier withdrawal that stopped: it holds what is to go.
        _delete(repo, "clear up", api.delete_branch, branch=f"{_KEEP}{tag}")
    left -= {*asked}
    remaining = list(dict.fromkeys([*kept, *sorted(left)]))
    for tag in remaining:
        if tag in left or _has_history(repo, tag):
            _set_anew(repo, tag)
    if _has_history(repo, "main"):
        log(f"{repo.name}: squashing main …")
        repo.ask("squash its history", api.super_squash_history, branch="main")
    return remaining


def _has_history(repo: HubRepo, revision: str) -> bool:
    return len(repo.ask("list its commits", repo.api.list_repo_commits, revision=revision)) > 1


def _set_anew(repo: HubRepo, tag: str) -> None:
    """Give a tag a commit without history; what an earlier try left is gone on from."""
    api, branch = repo.api, f"{_KEEP}{tag}"
    log(f"{repo.name}: setting {tag} on a commit without history …")
    refs = refs_of(repo)
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    if branch not in {ref.name for ref in refs.branches}:
        repo.ask("keep a version", api.create_branch, branch=branch, revision=tags[tag], exist_ok=True)
    repo.ask("squash a version", api.super_squash_history, branch=branch)
    head = next(ref.target_commit for ref in refs_of(repo).branches if ref.name == branch)
    if tags.get(tag) != head:
        _delete(repo, "move a tag", api.delete_tag, tag=tag)
        repo.ask("move a tag", api.create_tag, tag=tag, revision=head, exist_ok=True)
    repo.ask("clear up", api.delete_branch, branch=branch)


def _delete(repo: HubRepo, doing: str, delete: Callable[..., None], **which: str) -> None:
    try:
        repo.ask(doing, delete, **which)
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
