"""Takedown: take a subject out of a dataset, its releases and its history, and prove that nothing is left.

The dataset, the kept releases and the rest of `.offside/` are rewritten in one step. Killed at any moment and run
again, `remove_subject` ends with the same dataset: a subject that is gone is recognised by its tombstone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.access import changes, reads
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import replaced_content, work_folder
from offside_data.dataset.replacing import dataset_and_work_files
from offside_data.dataset.transaction import Transaction, transaction_of
from offside_data.errors import OffsideError, UsageError
from offside_data.figures import counted
from offside_data.files import read_text, write_json, write_text
from offside_data.issues import Issue
from offside_data.plugins import unknown_name_message
from offside_data.release.croissant import CROISSANT_FILE
from offside_data.release.snapshots import Snapshot, all_snapshots, snapshot_folder
from offside_data.tagging.words import folded_words
from offside_data.takedown.names import Traces, name_traces
from offside_data.takedown.proof import Proof, digests_of, save_proof, search_again, search_folder
from offside_data.takedown.purge import Purged, purge
from offside_data.takedown.subject_data import RADIUS, LookAlike, SubjectData, collect
from offside_data.takedown.tombstones import PROOFS, make_tombstone, read_tombstones

_SHORT = 2
"""A word of a name that is no longer than that may stand in a reason."""


@dataclass(frozen=True, kw_only=True)
class RemovalReport:
    """What a takedown did. Ids in it are of others, or of pictures that are gone.

    Args:
        removed: How many subjects, records and pictures; null if the subject had been removed before.
        look_alikes: Pictures that weren't listed as the subject's and went with them.
        others: Records of others that went: about these pictures, or naming the subject.
        renewed: Records of others that got new wrong answers.
        captioned: Pictures of others whose pixels seem to show the name; somebody must look at them.
        cleaned: How many texts were redacted, by place.
        releases: How many kept releases were rewritten.
        proof: What was looked through after it, and what was found;
        proof_file: Where the proof is kept.
    """

    removed: dict[str, int] | None
    look_alikes: tuple[LookAlike, ...] = ()
    others: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    captioned: tuple[str, ...] = ()
    cleaned: dict[str, int]
    releases: int = 0
    proof: Proof
    proof_file: Path

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What is left, may be left, or couldn't be read."""
        return self.proof.issues


@changes()
def remove_subject(
    folder: str | Path,
    subject: str,
    reason: str,
    *,
    aliases: Collection[str] = (),
    radius: int = RADIUS,
    seed: int = 0,
) -> RemovalReport:
    """Take a subject out of a dataset folder for good.

    Args:
        folder: The dataset folder; changed in place, as a whole or not at all.
        subject: Id of the subject.
        reason: Why, without a name: it is published.
        aliases: Other names of the subject.
        radius: How far pictures may differ that are looked at a second time, in bits of the perceptual hash.
        seed: Seed of the wrong answers that others get instead of those that gave the subject away.

    Raises:
        UsageError: If the subject is unknown, the reason is empty or names it, or another one is called the same.
        DatasetError: If nothing would be left.
    """
    dataset = open_dataset(folder)
    path = dataset.path
    kept, states = _open_releases(path)
    states.insert(0, dataset)
    found = collect(subject, states, aliases=aliases, radius=radius)
    if not found:
        if read_tombstones(path).has_id(subject):
            return verify_removals(path)
        raise UsageError(unknown_name_message("subject", subject, dataset.frame("subjects")["subject_id"].to_list()))
    traces = Traces.of(found.traces())
    _require_reason(reason, found, path)
    _require_no_namesake(found, states)
    others, before = _others(dataset, found), digests_of(path)
    change = transaction_of(dataset)
    purged = purge(change, found, traces)
    _renew(change, purged, seed)
    change.decide([make_tombstone(found.traces(), purged.counts, reason, change.decisions)])
    with replaced_content(path, dataset_and_work_files) as staged:
        change.write_into(staged)
        _write_clean_croissant(path, staged, traces)
        _keep_proofs(path, staged, traces)
        for snapshot, state in zip(kept, states[1:], strict=True):
            _stage_snapshot(staged, snapshot, state, found, traces)
        for snapshot in all_snapshots(path):
            if snapshot not in kept:  # What can't be opened can't be rewritten, but isn't ours to lose.
                shutil.copytree(snapshot.folder, snapshot_folder(staged, snapshot.version), symlinks=True)
    _drop_empty_folders(work_folder(path))
    every = read_tombstones(path)
    proof = search_folder(path, every, found.judge(every, radius))
    after = digests_of(path)
    digests = {name: {"before": digest, "after": after.get(name, "gone")} for name, digest in before.items()}
    methods = (
        *proof.methods,
        f"pictures that nearly are the subject's: pHash within {counted(radius, 'bit')}, then a second look",
    )
    proof = dataclasses.replace(proof, digests=digests, methods=methods)
    return RemovalReport(
        removed=purged.counts,
        look_alikes=tuple(found.look_alikes),
        others=tuple(others),
        renewed=tuple(sorted(record.record_id for record in purged.distractors)),
        captioned=tuple(sorted(purged.captioned)),
        cleaned={place: number for place, number in sorted(purged.cleaned.items()) if number},
        releases=len(kept),
        proof=proof,
        proof_file=save_proof(path, proof, every),
    )


@reads
def verify_removals(folder: str | Path) -> RemovalReport:
    """Look again whether anything is left of those who were taken down before."""
    path = open_dataset(folder).path
    proof = search_again(path)
    return RemovalReport(
        removed=None, cleaned={}, proof=proof, proof_file=save_proof(path, proof, read_tombstones(path))
    )


def _open_releases(folder: Path) -> tuple[list[Snapshot], list[OffsideDataset]]:
    """The kept releases that can be opened; of the others the proof says that they can't be."""
    kept, states = [], []
    for snapshot in all_snapshots(folder):
        with contextlib.suppress(OffsideError):
            states.append(open_dataset(snapshot.folder))
            kept.append(snapshot)
    return kept, states


def _others(dataset: OffsideDataset, found: SubjectData) -> list[str]:
    """Ids of the records of others that go."""
    import polars as pl

    rows = dataset.claims(["record_id", "subject_id"]).filter(pl.col("record_id").is_in(found.records))
    return sorted(rows.filter(pl.col("subject_id").ne_missing(found.subject_id))["record_id"])


def _require_reason(reason: str, found: SubjectData, folder: Path) -> None:
    words = {word for name in found.names for word in folded_words(name) if len(word) > _SHORT}
    traces = Traces.of(found.traces())
    if not reason.strip():
        raise UsageError("--reason is empty: say why, without the name; it is published.")
    if (
        not words.isdisjoint(folded_words(reason))
        or any(map(traces.has_id, reason.split()))
        or traces.names_in(reason)
        or read_tombstones(folder).names_in(reason)
    ):
        raise UsageError("the reason names the subject, or a part of its name. It is published: say it without.")


def _require_no_namesake(found: SubjectData, states: Sequence[OffsideDataset]) -> None:
    own = {trace for name in found.names for trace in name_traces(name)}
    for state in states:
        for other, name in state.frame("subjects", ["subject_id", "name"]).iter_rows():
            if other != found.subject_id and not own.isdisjoint(name_traces(name or "")):
                raise UsageError(
                    f"subject {other} is called the same, so no proof by name is possible. Give that one a name that "
                    "tells the two apart, or remove it first."
                )


def _renew(change: Transaction, purged: Purged, seed: int) -> None:
    """New wrong answers for the records that lost some, from the values of those that stay."""
    if purged.distractors:
        import polars as pl

        from offside_data.questions import knowledge
        from offside_data.questions.forms import regenerate

        assert change.base is not None
        claims = change.base.claims(knowledge.READ).filter(~pl.col("record_id").is_in(change.removed))
        images = change.table_rows("images")
        renewed = regenerate(purged.distractors, claims, change.taxonomy, seed=seed, images=images)
        change.update_records(renewed, ["perturbed_answers", "choices", "correct_choice"])


def _write_clean_croissant(source: Path, target: Path, traces: Traces) -> None:
    """The description as it was, without the name, malformed or not; the next release writes a new one."""
    file = source / CROISSANT_FILE
    if not file.is_file():
        return
    text = read_text(file)
    try:
        write_json(target / CROISSANT_FILE, traces.redact_all(json.loads(text)))
    except (ValueError, RecursionError):
        write_text(target / CROISSANT_FILE, traces.redact(text))


def _keep_proofs(folder: Path, staged: Path, traces: Traces) -> None:
    """Take earlier proofs along: they name nobody who was taken down before, and not whom they saw stay."""
    for file in sorted(work_folder(folder, PROOFS).glob("*")):
        if file.is_file():
            write_text(work_folder(staged, PROOFS, file.name), traces.redact(read_text(file), near=True))


def _stage_snapshot(
    staged: Path, snapshot: Snapshot, state: OffsideDataset, found: SubjectData, traces: Traces
) -> None:
    """Write a kept release without the subject, and how much it lost.

    Wrong answers that went aren't made anew here, so that the next release tells that the records changed.
    """
    change = transaction_of(state)
    purged = purge(change, found, traces)
    removed = {key: number + snapshot.removed.get(key, 0) for key, number in purged.counts.items()}
    folder = snapshot_folder(staged, snapshot.version)
    folder.mkdir(parents=True)
    change.write_into(folder)
    _write_clean_croissant(snapshot.folder, folder, traces)
    Snapshot(folder, snapshot.version, snapshot.digest, removed).save_facts(folder)


def _drop_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # Something is in it, or it is somebody else's: the proof will say.
                path.rmdir()
