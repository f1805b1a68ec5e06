"""Datasets of the Hub on this machine: found by version, downloaded once, pinned to a commit, verified.

They lie in the cache of `huggingface_hub` (`HF_HOME`). What was verified is noted beside each: without the Hub, the
newest such version that a reference may stand for is used, and a warning says which.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.card import FILE_NAME as CARD_FILE
from offside_data.dataset.card import read_identity
from offside_data.dataset.reference import Reference
from offside_data.dataset.storage import is_dataset_file
from offside_data.dataset.versions import Version, parse_version
from offside_data.errors import CardError, DatasetReferenceError, HubError, HubUnreachableError
from offside_data.files import write_json
from offside_data.hub.client import HubRepo
from offside_data.hub.remote import files_at, refs_of
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_small

TEXTS = (CARD_FILE, "CHANGELOG.md", "LICENSE", "croissant.json", "decisions.jsonl")
"""The texts of a dataset, but for its taxonomy, which has the name that the card gives it."""
_NOTES = "offside"
"""Our folder beside `snapshots` of a repository in the cache; deleted with it."""
_MAIN = "main.json"
_SHOWN_NAME = 80
_TAXONOMY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.yaml")
"""A YAML file; the card says which one is the taxonomy."""
_NO_NAME = re.compile("[\x00-\x1f\ud800-\udfff]")
"""Control characters, and halves of characters, which JSON can say but no disk takes."""


@dataclass(frozen=True, kw_only=True)
class Cached:
    """A dataset of the Hub on this machine.

    Args:
        path: The dataset folder, not to be written to.
        commit: Of the Hub.
        version: As the tag says, or the card where `main` was asked for.
        verified: Whether its digest was verified after the download, and no file changed since.
    """

    path: Path
    commit: str
    version: str
    verified: bool


def cached_dataset(reference: Reference) -> Cached:
    """Find what a reference to the Hub stands for, downloaded if it isn't here.

    Raises:
        DatasetReferenceError: If no version fits.
        CardError: If the tag is on another version, or on no dataset of ours.
        HubError: If it can't be had.
    """
    assert reference.repo is not None
    repo = HubRepo(reference.repo)
    try:
        version, commit = _resolve(repo, reference)
        here = _noted(repo, commit)
        if here is None or not here.verified:
            here = _download(repo, commit, version)
    except HubUnreachableError as error:
        found = _newest_here(repo, reference)
        if found is None:
            raise
        log(
            f"warning: {error} Using {repo.name} {found.version} (commit {found.commit[:7]}) from the cache: the "
            f"newest here that {reference.text!r} may stand for."
        )
        return found
    if version is not None and parse_version(here.version) != parse_version(version):
        raise CardError(
            f"{repo.name}: the tag v{version} is on a commit whose card says that it is {here.version}, so it isn't "
            "the release of that number. Ask whoever published it; other versions may be whole."
        )
    return here


def note_verified(reference: Reference, cached: Cached, digest: str) -> None:
    """Note that a download is what its card says.

    Args:
        reference: Through which it was found.
        cached: The download.
        digest: Its digest, as recomputed.
    """
    assert reference.repo is not None
    notes = _notes_folder(HubRepo(reference.repo))
    note = {"version": cached.version, "digest": digest, "files": _stamps(cached.path)}
    try:
        write_json(notes / f"{cached.commit}.json", note)
        if reference.revision is not None:
            write_json(notes / _MAIN, {"commit": cached.commit})
    except OSError as error:  # A cache that others keep, or a full disk: it is good to be read all the same.
        log(f"{reference.repo}: {notes} can't be written ({error.strerror}), so this is verified anew each time.")


def is_part(name: str) -> bool:
    """Whether a file of a repository may be part of the dataset in it; what else people put there isn't downloaded."""
    return name in TEXTS or _TAXONOMY.fullmatch(name) is not None or is_dataset_file(name)


def release_files(folder: Path, taxonomy: str) -> dict[str, Path]:
    """The files of the dataset in a folder by name, sorted, and nothing that somebody put beside them.

    Args:
        folder: The folder.
        taxonomy: The name of its taxonomy's file.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in sorted(files.items()) if name in (*TEXTS, taxonomy) or is_dataset_file(name)}


# ---------------------------------------------------------------------------------------------
# Online


def _resolve(repo: HubRepo, reference: Reference) -> tuple[str | None, str]:
    """Version (null for `main`) and commit.

    Raises:
        DatasetReferenceError: If there is no such version; names those that there are.
    """
    refs = refs_of(repo, patient=_newest_here(repo, reference) is None)  # No patience where the cache has it.
    if reference.revision is not None:
        for branch in refs.branches:
            if branch.name == reference.revision:
                return None, branch.target_commit
        raise DatasetReferenceError(f"{repo.name} has no branch {reference.revision} on the Hub.")
    tags = {tag.name: tag.target_commit for tag in refs.tags}
    versions = dict(_versions(tags))
    fitting = [version for version in versions if reference.matches(version)]
    if not fitting:
        known = ", ".join(str(version) for version in sorted(versions)[-10:])
        raise DatasetReferenceError(
            f"{reference.text!r}: no released version of {repo.name} fits. "
            + (f"There are {known}." if known else f"None is released there; {repo.name}@main is what isn't.")
        )
    newest = max(fitting)
    return str(newest), versions[newest]


def _versions(tags: Mapping[str, str]) -> Iterator[tuple[Version, str]]:
    for name, commit in tags.items():
        with contextlib.suppress(ValueError):  # Somebody's tag of another sort.
            if name.startswith("v"):
                yield parse_version(name[1:]), commit


def _download(repo: HubRepo, commit: str, version: str | None) -> Cached:
    """Download a commit, file by file, going on where an earlier try stopped.

    Raises:
        CardError: If there is no dataset of ours in it.
        HubError: If it can't be had, has files that can't lie on a disk, or arrives damaged again and again.
    """
    log(f"{repo.name}: fetching {version or 'main'} (commit {commit[:7]}) …")
    names = files_at(repo, commit)
    for name in names:
        _require_safe(repo, name)
    parts = [name for name in names if is_part(name)]

    def download() -> Path:
        return Path(repo.api.snapshot_download(repo.name, repo_type=repo.kind, revision=commit, allow_patterns=parts))

    path = repo.call("download it", download)
    damaged = _damaged(repo, commit)
    for name in damaged:
        log(f"{repo.name}: {name} arrived damaged; downloading it again.")
        again: Callable[..., Any] = repo.api.hf_hub_download
        repo.ask(f"download {name}", again, name, revision=commit, force_download=True)
    if damaged and (damaged := _damaged(repo, commit)):
        raise HubError(
            f"{repo.name}: {', '.join(damaged)} of commit {commit[:7]} arrives damaged: its checksum isn't what the "
            "Hub says. Try again later, from another network if it stays so."
        )
    return Cached(path=path, commit=commit, version=read_identity(path).version, verified=False)


def _require_safe(repo: HubRepo, name: str) -> None:
    """Refuse a file that lies elsewhere by its name, or nowhere.

    Raises:
        HubError: If so.
    """
    if {"", ".", ".."} & {*re.split(r"[/\\]", name)} or _NO_NAME.search(name):
        raise HubError(
            f"{repo.name} holds a file called {name[:_SHOWN_NAME]!r}: it would lie outside of the folder, or can't lie "
            "on a disk. Nothing was fetched; whoever owns the repository must rename it."
        )


def _damaged(repo: HubRepo, commit: str) -> list[str]:
    """The files whose checksum isn't what the Hub says."""
    found = repo.ask("verify the download", repo.api.verify_repo_checksums, revision=commit)
    differing = {*(mismatch["path"] for mismatch in found.mismatches), *found.missing_paths}
    return sorted(name for name in differing if is_part(name))


# ---------------------------------------------------------------------------------------------
# Here


def _home(repo: HubRepo) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo.name, repo_type=repo.kind)


def _notes_folder(repo: HubRepo) -> Path:
    return _home(repo) / _NOTES


def _stamps(path: Path) -> dict[str, list[int]]:
    """Size and time of each file of a download."""
    files = {file.relative_to(path).as_posix(): file.stat() for file in sorted(path.rglob("*")) if file.is_file()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in files.items()}


def _noted(repo: HubRepo, commit: str) -> Cached | None:
    """A commit that was verified before; null if there is none, or it isn't here any more."""
    path = _home(repo) / "snapshots" / commit
    try:
        note = parse_json(read_small(_notes_folder(repo) / f"{commit}.json"))
        stamps = {name: list(stamp) for name, stamp in note["files"].items()}
        version = str(note["version"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not (path / CARD_FILE).is_file():
        return None
    return Cached(path=path, commit=commit, version=version, verified=stamps == _stamps(path))


def _newest_here(repo: HubRepo, reference: Reference) -> Cached | None:
    """The newest verified version here that a reference may stand for."""
    if reference.revision is not None:
        try:
            commit = str(parse_json(read_small(_notes_folder(repo) / _MAIN))["commit"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return _noted(repo, commit)
    notes = _notes_folder(repo).glob("*.json") if _notes_folder(repo).is_dir() else ()
    found = [cached for note in notes if (cached := _noted(repo, note.stem)) is not None]
    fitting = [cached for cached in found if cached.verified and reference.matches(cached.version)]
    return max(fitting, key=lambda cached: parse_version(cached.version), default=None)
