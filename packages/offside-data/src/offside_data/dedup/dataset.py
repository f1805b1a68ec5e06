"""De-duplicate a dataset: find, plan, show, and merge when told to."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import changing, work_folder
from offside_data.dataset.rows import records_of
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import apply_changes, save_undo
from offside_data.dedup.clusters import HashedPicture
from offside_data.dedup.find import Found, find_duplicates
from offside_data.dedup.merge import Merge, Merger
from offside_data.dedup.pictures import list_pictures
from offside_data.dedup.second_look import SecondLook
from offside_data.dedup.sheet import contact_sheet, likeness, shown_pictures
from offside_data.errors import PictureError, UsageError
from offside_data.files import write_text
from offside_data.schema import Record

KIND = "duplicate"
"""The `kind` of a decision that merges a cluster."""
ENGINES = ("local",)
"""What may do the work."""


@dataclass(frozen=True, kw_only=True)
class DedupConfig:
    """How to look for duplicates.

    Args:
        hash: Perceptual hash, one of `offside_data.images.hashes`.
        radius: Bits in which two hashes may differ for a second look at their pictures; null takes the hash's own.
        engine: What does the work.
        look: Limits of the second look.
    """

    hash: str = "phash"
    radius: int | None = None
    engine: str = "local"
    look: SecondLook = field(default_factory=SecondLook)


@dataclass(frozen=True, kw_only=True)
class DedupReport:
    """What was found and done.

    Args:
        pictures: How many pictures were compared.
        radius: Within which radius.
        found: Clusters and refused pairs.
        merges: What becomes of each cluster; those with `reasons` are left for a person.
        applied: Decisions that were carried out.
        sheet: The contact sheet, if there was something to show.
    """

    pictures: int
    radius: int
    found: Found
    merges: list[Merge]
    applied: list[dict[str, Any]]
    sheet: Path | None


@changes(when="apply")
def dedup(
    dataset: str | Path,
    *,
    against: str | Path | None = None,
    apply: bool = False,
    sheet: Path | None = None,
    config: DedupConfig | None = None,
) -> DedupReport:
    """Find pictures of a dataset that show the same and, if told to, merge what is said about them.

    Args:
        dataset: The dataset.
        against: Another dataset or an older version: then pictures are only compared with its pictures.
        apply: Carry out what can be; each cluster is a decision that `undo` takes back. Else nothing is changed.
        sheet: Where the contact sheet goes; by default into the dataset's working area, where no release takes it.
        config: How to look.

    Raises:
        UsageError: If an option has a wrong value.
        PluginError: If there is no such hash.
        PictureError: If a picture that has to be hashed can't be decoded.
        DatasetError: If the dataset can't be read or changed.
    """
    config = config or DedupConfig()
    if config.engine not in ENGINES:
        raise UsageError(
            f"engine {config.engine!r} isn't there yet; allowed: {', '.join(ENGINES)}. It takes 100,000 pictures in "
            "flat memory."
        )
    radius = radius_of(config)
    compared = _Compared(open_dataset(dataset), open_dataset(against) if against is not None else None, config.hash)
    found = find_duplicates(compared.ours, compared.read, radius=radius, against=compared.theirs, look=config.look)
    merges = _merge(compared, found) if found.clusters else []
    written = None
    if merges or found.refused:
        written = sheet or work_folder(compared.dataset.path, "dedup", "sheet.html")
        text = compared.draw(merges, found)
        try:
            if sheet is None:
                with changing(compared.dataset.path):  # Else who was taken down meanwhile would be back.
                    compared.dataset.require_unchanged()
                    write_text(written, text)
            else:
                write_text(written, text)
        except OSError as error:
            raise UsageError(
                f"{written}: can't be written: {error.strerror}. Give another place with --sheet."
            ) from error
    applied = []
    if apply:
        applied = _apply(compared.dataset, merges, f"dedup --hash {config.hash} --radius {radius} --apply")
    return DedupReport(
        pictures=len(compared.ours), radius=radius, found=found, merges=merges, applied=applied, sheet=written
    )


def radius_of(config: DedupConfig) -> int:
    """The radius to look in: as configured, else the hash's own.

    Raises:
        PluginError: If there is no such hash.
        UsageError: If it is negative, or no smaller than the hash.
    """
    from offside_data.images.hashing import HASHES, require_radius

    if config.radius is None:
        return int(HASHES.load(config.hash).RADIUS)
    require_radius(config.radius, config.hash)
    return config.radius


class _Compared:
    """The pictures of a dataset, and of the one that it is compared with."""

    def __init__(self, dataset: OffsideDataset, other: OffsideDataset | None, algorithm: str) -> None:
        if other is not None and other.path.resolve() == dataset.path.resolve():
            raise UsageError(
                f"{other.path}: --against needs another dataset or version; leave it out to compare within."
            )
        self.dataset, self.other = dataset, other
        store = work_folder(dataset.path, "hashes", algorithm)
        self.ours = list_pictures(dataset, algorithm, store)
        home = f"{other.name}@{other.version}" if other else ""
        self.theirs = list_pictures(other, algorithm, store, home=home) if other else None

    def read(self, positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Encoded bytes by position in both lists, one after the other."""
        first = len(self.ours)
        ours = {self.ours[i].key: i for i in positions if i < first}
        theirs = {self.theirs[i - first].key: i for i in positions if i >= first} if self.theirs else {}
        yield from ((ours[key], data) for key, data in self.dataset.encoded_pictures(ours))
        if self.other is not None:
            yield from ((theirs[key], data) for key, data in self.other.encoded_pictures(theirs))

    def draw(self, merges: list[Merge], found: Found) -> str:
        """The contact sheet."""
        from offside_data.images.thumbnails import thumbnail

        wanted = shown_pictures(merges, found.refused)
        everything: list[HashedPicture] = [*self.ours, *(self.theirs or ())]
        positions = [i for i, picture in enumerate(everything) if (picture.home, picture.key) in wanted]
        small = {}
        for i, data in self.read(positions):
            with contextlib.suppress(PictureError):  # The sheet says so in its place.
                small[everything[i].home, everything[i].key] = thumbnail(data)
        left = sum(bool(merge.reasons) for merge in merges)
        summary = [
            f"{self.dataset.name} {self.dataset.version} has {len(self.ours):,} pictures, and {len(merges):,} clusters "
            f"that show the same; {left:,} of these are for a person to look at. The second look refused "
            f"{found.refusals:,} of {found.candidates:,} pairs with near hashes.",
            f"Compared with {self.other.name} {self.other.version}." if self.other else "",
        ]
        title = f"Duplicates in {self.dataset.name}"
        return contact_sheet(title, [s for s in summary if s], merges, found.refused, small)


def _merge(compared: _Compared, found: Found) -> list[Merge]:
    dataset, other = compared.dataset, compared.other
    if other is not None and other.name == dataset.name:
        why = f"{other.name}@{other.version} is a version of this dataset, so dropping the picture would lose it"
        return [Merge(cluster=cluster, reasons=[why]) for cluster in found.clusters]
    keys = {picture.key for cluster in found.clusters for picture in cluster.pictures}
    elsewhere = Merger(_claims_on(other, keys), [], dataset.taxonomy) if other else None
    merger = Merger(_claims_on(dataset, keys), dataset.table_rows("images"), dataset.taxonomy, elsewhere)
    return merger.merge(found.clusters)


def _claims_on(dataset: OffsideDataset, pictures: Collection[str]) -> list[Record]:
    """The records that merging these pictures may touch: about one, about a copy of one, or correcting one of these."""
    import polars as pl

    about = pl.col("image_id").is_in(pictures) | pl.col("derived_from").is_in(pictures)
    named = dataset.claims(["record_id", "image_id", "derived_from", "corrects"])
    ids = named.filter(about)["record_id"]
    wanted = named.filter(about | pl.col("corrects").is_in(ids.implode()))["record_id"]
    found = []
    for part in dataset.record_parts():
        for batch in dataset.batches(part):
            found += records_of(batch.filter(pl.col("record_id").is_in(wanted.implode())), dataset.pictures)
    return found


def _apply(dataset: OffsideDataset, merges: list[Merge], command: str) -> list[dict[str, Any]]:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    done = [(merge, _decision(merge, command, when)) for merge in merges if not merge.reasons]
    # A row that several merges touch is in the end what the last one made of it.
    last = {(change.part, change.name): change for merge, _ in done for change in merge.changes}
    with change_dataset(dataset) as change:
        apply_changes(change, last.values())
        change.decide(decision for _, decision in done)
        for merge, decision in done:
            change.also_write(partial(save_undo, decision_id=decision["id"], changes=merge.changes))
    return [decision for _, decision in done]


def _decision(merge: Merge, command: str, when: str) -> dict[str, Any]:
    cluster = merge.cluster
    what = {
        "kept": cluster.keeper.key,
        "dropped": [member.picture.key for member in cluster.others],
        "records_gone": merge.goes,
        "records_moved": merge.moves,
        **({"kept_in": cluster.keeper.home} if cluster.keeper.home else {}),
    }
    why = "; ".join(
        f"{member.picture.key} shows the same as {cluster.keeper.key}: "
        + ", ".join(f"{term} {fact}" for term, fact in likeness(member.distance, member.second_look).items())
        for member in cluster.others
    )
    return make_decision(KIND, what, why, command=command, when=when)
