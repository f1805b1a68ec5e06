"""Fetch a published dataset into a folder of one's own, where it can be changed and released on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.card import FILE_NAME as CARD_FILE
from offside_data.dataset.card import read_identity
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import finish_replacement, replaced_content, work_folder
from offside_data.dataset.reference import parse_reference
from offside_data.dataset.replacing import ensure_place, keep_texts, replaced_files, tombstones_in
from offside_data.errors import CardError, OutputExistsError, UsageError
from offside_data.hub.cache import release_files
from offside_data.outputs import taken_folder
from offside_data.progress import log
from offside_data.release import snapshots


@dataclass(frozen=True, kw_only=True)
class FetchReport:
    """What was fetched.

    Args:
        path: The folder.
        name: Of the dataset.
        version: Its version.
        commit: Of the Hub.
        digest: Its digest, verified.
    """

    path: Path
    name: str
    version: str
    commit: str
    digest: str


def fetch(ref: str, out: str | Path, *, force: bool = False) -> FetchReport:
    """Fetch what a reference to the Hub stands for.

    It appears in `out` whole or not at all. The release is kept in it as such, so that the next release of it has
    something to go on from.

    Args:
        ref: `org/name`, `org/name@^1.0`, …
        out: The folder to make.
        force: Replace a dataset that is there.

    Raises:
        UsageError: If `ref` isn't one to the Hub.
        DatasetReferenceError: If it stands for nothing.
        OutputExistsError: If `out` holds something that may not be replaced.
        HubError: If it can't be had.
        DigestMismatchError: If it isn't what its card says.
    """
    reference, out = parse_reference(ref), Path(out)
    if reference.kind != "hub":
        what = "is a folder" if Path(ref).is_dir() else "isn't the name of one on the Hub"
        raise UsageError(f"{ref!r} {what}: fetch takes a dataset of the Hub, ORG/NAME[@VERSION].")
    if not (out / CARD_FILE).exists() and not work_folder(out).exists():
        ensure_place(out, name="", force=False)  # Before anything is downloaded.
    dataset = open_dataset(ref)
    assert dataset.ref.commit is not None
    if _holds(out, dataset):
        log(f"{out} holds {dataset.name} {dataset.version} already; nothing to do.")
    else:
        with (
            taken_folder(out, lambda: _ensure_place(out, dataset, force=force)),
            replaced_content(out, replaced_files) as staged,
        ):
            files = release_files(dataset.path, dataset.card.block.taxonomy.file)
            keep_texts(out, staged, [name for name in files if "/" not in name])
            for name, path in files.items():
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, staged / name)  # From what the cache links to.
            if reference.revision is None:
                snapshots.keep(staged, dataset.version, dataset.digest)
    return FetchReport(
        path=out, name=dataset.name, version=dataset.version, commit=dataset.ref.commit, digest=dataset.digest
    )


def _holds(out: Path, dataset: OffsideDataset) -> bool:
    """Whether a folder holds a dataset already, what a kill left of that brought to its end."""
    if not out.is_dir():
        return False
    finish_replacement(out)
    try:
        there = read_identity(out)
    except CardError:
        return False
    return (there.name, there.version, there.digest) == (dataset.name, dataset.version, dataset.digest)


def _ensure_place(out: Path, dataset: OffsideDataset, *, force: bool) -> None:
    """Refuse a folder that a dataset can't be fetched into.

    Raises:
        OutputExistsError: If so.
    """
    ensure_place(out, name=dataset.name, force=force)
    there = {str(decision["id"]) for decision in read_decisions(dataset.path)}
    lost = [decision for decision in tombstones_in(out) if str(decision["id"]) not in there]
    if lost:
        raise OutputExistsError(
            f"{out} tells of {len(lost)} takedowns that {dataset.name} {dataset.version} doesn't know of: fetching it "
            "there could bring back whoever was taken down. Choose another output folder."
        )
