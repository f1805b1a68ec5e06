"""De-duplicate a dataset: find, plan, show, and merge when told to."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.dataset.contents import Contents
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import replaced_content, work_folder
from offside_data.dataset.undo import save_undo
from offside_data.dedup.clusters import Picture
from offside_data.dedup.find import Found, find_duplicates
from offside_data.dedup.merge import Merge, Merger
from offside_data.dedup.pictures import list_pictures, stored_pictures
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
    shelf = _Shelf(open_dataset(dataset), open_dataset(against) if against is not None else None, config.hash)
    radius = radius_of(config)
    found = find_duplicates(shelf.ours, shelf.read, radius=radius, against=shelf.theirs, look=config.look)
    contents = Contents.read(shelf.dataset.path) if apply and found.clusters else None
    merges = _merge(shelf, found, contents) if found.clusters else []
    written = None
    if merges or found.refused:
        written = sheet or work_folder(shelf.dataset.path, "dedup", "sheet.html")
        try:
            write_text(written, shelf.draw(merges, found))
        except OSError as error:
            raise UsageError(
                f"{written}: can't be written: {error.strerror}. Give another place with --sheet."
            ) from error
    applied = []
    if contents is not None:
        applied = _apply(shelf, contents, merges, f"dedup --hash {config.hash} --radius {radius} --apply")
    return DedupReport(
        pictures=len(shelf.ours), radius=radius, found=found, merges=merges, applied=applied, sheet=written
    )


def radius_of(config: DedupConfig) -> int:
    """The radius to look in: as configured, else the hash's own.

    Raises:
        PluginError: If there is no such hash.
        UsageError: If it is negative.
    """
    from offside_data.images.hashing import HASHES

    radius = HASHES.load(config.hash).RADIUS if config.radius is None else config.radius
    if radius < 0:
        raise UsageError(f"radius {radius}: give the number of bits that may differ, 0 or more.")
    return int(radius)


class _Shelf:
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
        yield from ((ours[key], data) for key, data in stored_pictures(self.dataset, ours))
        if self.other is not None:
            yield from ((theirs[key], data) for key, data in stored_pictures(self.other, theirs))

    def draw(self, merges: list[Merge], found: Found) -> str:
        """The contact sheet."""
        from offside_data.images.thumbnails import thumbnail

        wanted = shown_pictures(merges, found.refused)
        everything: list[Picture] = [*self.ours, *(self.theirs or ())]
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


def _merge(shelf: _Shelf, found: Found, contents: Contents | None) -> list[Merge]:
    dataset, other = shelf.dataset, shelf.other
    if other is not None and other.name == dataset.name:
        why = f"{other.name}@{other.version} is a version of this dataset, so dropping the picture would lose it"
        return [Merge(cluster=cluster, reasons=[why]) for cluster in found.clusters]
    elsewhere = Merger(_claims(other), [], dataset.taxonomy) if other else None
    records = contents.records if contents else _claims(dataset)
    images = contents.images if contents else list(dataset.images().remove_columns("image"))
    merger = Merger(records, images, dataset.taxonomy, elsewhere)
    merges = merger.merge(found.clusters)
    if contents is not None:
        contents.records, contents.images = list(merger.records.values()), list(merger.images.values())
    return merges


def _claims(dataset: OffsideDataset) -> list[Record]:
    """All records of a dataset without their pictures, which a plan doesn't need."""
    import pyarrow.parquet as pq

    records = []
    for path in (path for part in dataset.files() for path in dataset.paths(part)):
        columns = [name for name in pq.read_schema(path).names if name != "image"]
        rows = pq.read_table(path, columns=columns, partitioning=None).to_pylist()
        records += [Record.from_row({**row, "image": None}) for row in rows]
    return records


def _apply(shelf: _Shelf, contents: Contents, merges: list[Merge], command: str) -> list[dict[str, Any]]:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    done = [(merge, _decision(merge, command, when)) for merge in merges if not merge.reasons]
    if done:
        contents.decisions += [decision for _, decision in done]
        with replaced_content(shelf.dataset.path) as staged:
            contents.write_into(staged)
            for merge, decision in done:
                save_undo(staged, decision["id"], merge.changes)
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
        + ", ".join(f"{term} {fact}" for term, fact in likeness(member.distance, member.verdict).items())
        for member in cluster.others
    )
    return make_decision(KIND, what, why, command=command, when=when)
