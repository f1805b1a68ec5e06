"""De-duplicate a dataset: find, plan, show, and merge what can be merged or what a person says is one picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision, now
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import changing, work_folder
from offside_data.dataset.picture_names import PictureNames
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import apply_changes, save_undo
from offside_data.dedup.clusters import Cluster
from offside_data.dedup.declared import declared_apart
from offside_data.dedup.find import Found, Told, find_duplicates
from offside_data.dedup.merge import Merge, Merger
from offside_data.dedup.pictures import PictureReader, claims_about, list_pictures
from offside_data.dedup.second_look import SecondLook
from offside_data.dedup.sheet import SheetContent, draw_sheet, likeness
from offside_data.editing.reading import whole_records
from offside_data.errors import UsageError
from offside_data.files import write_text
from offside_data.outputs import ensure_replaceable
from offside_data.pages import PAGE_BEGIN
from offside_data.plugins import unknown_name_message
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
        turned: Look for quarter-turned and mirrored copies, too; every picture is decoded and hashed for that.
        engine: What does the work.
        look: Limits of the second look.
    """

    hash: str = "phash"
    radius: int | None = None
    turned: bool = False
    engine: str = "local"
    look: SecondLook = field(default_factory=SecondLook)


@dataclass(frozen=True, kw_only=True)
class DedupReport:
    """What was found and done.

    Args:
        pictures: How many pictures were compared.
        radius: Within which radius.
        found: Clusters, look-alikes and refused pairs.
        merges: What becomes of each cluster; those with `reasons` are left for a person.
        look_alikes: The same of each pair of look-alikes, which only a person can merge.
        applied: Decisions that were carried out.
        sheet: The contact sheet, if there was something to show.
    """

    pictures: int
    radius: int
    found: Found
    merges: list[Merge]
    look_alikes: list[Merge]
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
        OutputExistsError: If `sheet` is a file, but no contact sheet.
        PluginError: If there is no such hash.
        PictureError: If a picture that has to be hashed can't be decoded.
        DatasetError: If the dataset can't be read or changed.
    """
    config = config or DedupConfig()
    if sheet is not None:
        ensure_replaceable(sheet, PAGE_BEGIN)
    compared = _Compared(dataset, against, config)
    found = compared.find()
    merges, look_alikes = compared.merge(found.clusters, [pair.as_cluster() for pair in found.look_alikes])
    written = None
    if merges or look_alikes or found.refused:
        written = sheet or work_folder(compared.dataset.path, "dedup", "sheet.html")
        text = draw_sheet(
            *compared.title(found), SheetContent(merges, look_alikes, found.refused), compared.read_by_key
        )
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
    return DedupReport(
        pictures=len(compared.ours),
        radius=compared.radius,
        found=found,
        merges=merges,
        look_alikes=look_alikes,
        applied=_apply(compared.dataset, merges, compared.command("--apply")) if apply else [],
        sheet=written,
    )


@changes()
def merge_cluster(
    dataset: str | Path, cluster: str, *, keep: str | None = None, reason: str = "", config: DedupConfig | None = None
) -> dict[str, Any]:
    """Merge one cluster, or a pair of look-alikes, of which a person says that it is one picture.

    Args:
        dataset: The dataset.
        cluster: Its name as `dedup` gives it, or a picture of it by id or file where that is in one cluster only.
        keep: The picture to keep, by id or file; default: as `choose_keeper` chooses.
        reason: Why, in a person's words.
        config: How to look; the same as when the cluster was found.

    Returns:
        The decision, which `undo` takes back.

    Raises:
        UsageError: If there is no such cluster or picture, or the cluster can't be merged; says why.
        DatasetError: If the dataset can't be read or changed.
    """
    compared = _Compared(dataset, None, config or DedupConfig())
    names = PictureNames(compared.dataset)
    kept = names.find(keep) if keep else None
    found = compared.find(keep=kept)
    chosen = _choose(cluster, [*found.clusters, *(pair.as_cluster(kept) for pair in found.look_alikes)], names)
    if kept is not None and chosen.keeper.key != kept:
        listed = ", ".join(picture.name for picture in chosen.pictures)
        raise UsageError(f"{names.name(kept)} can't be kept: cluster {chosen.name} has {listed}.")
    ((merge,),) = compared.merge([chosen], told=[chosen.name])
    if merge.reasons:
        raise UsageError(
            f"cluster {chosen.name} can't be merged: {'; '.join(merge.reasons)}. Settle that first with offside-data "
            "edit, or declare its pictures to be different with --not-duplicates."
        )
    command = compared.command(f"--merge {chosen.name}" + (f" --keep {kept}" if kept else ""))
    (decision,) = _apply(compared.dataset, [merge], command, reason)
    return decision


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

    def __init__(self, dataset: str | Path, against: str | Path | None, config: DedupConfig) -> None:
        if config.engine not in ENGINES:
            raise UsageError(
                f"engine {config.engine!r} isn't there yet; allowed: {', '.join(ENGINES)}. It takes 100,000 pictures "
                "in flat memory."
            )
        self.config, self.radius = config, radius_of(config)
        self.dataset = open_dataset(dataset)
        self.other = open_dataset(against) if against is not None else None
        if self.other is not None and self.other.path.resolve() == self.dataset.path.resolve():
            raise UsageError(
                f"{self.other.path}: --against needs another dataset or version; leave it out to compare within."
            )
        store = work_folder(self.dataset.path, "hashes", config.hash + ("-turned" if config.turned else ""))
        home = f"{self.other.name}@{self.other.version}" if self.other else ""
        self.ours = list_pictures(self.dataset, config.hash, store, turned=config.turned)
        self.theirs = (
            list_pictures(self.other, config.hash, store, home=home, turned=config.turned) if self.other else None
        )
        self._readers = {"": PictureReader(self.dataset)}
        if self.other is not None:
            self._readers[home] = PictureReader(self.other)

    def find(self, keep: str | None = None) -> Found:
        """Clusters and look-alikes."""
        told = Told(
            apart=declared_apart(self.dataset.path),
            keep=keep,
            claims=partial(claims_about, self.dataset) if self.other is None else None,
        )
        look = replace(self.config.look, turned=self.config.turned)
        return find_duplicates(self.ours, self._read, radius=self.radius, against=self.theirs, look=look, told=told)

    def merge(self, *groups: Sequence[Cluster], told: Collection[str] = ()) -> list[list[Merge]]:
        """What becomes of each cluster of some groups."""
        dataset, other = self.dataset, self.other
        clusters = [cluster for group in groups for cluster in group]
        if not clusters:
            return [[] for _ in groups]
        if other is not None and other.name == dataset.name:
            why = f"{other.name}@{other.version} is a version of this dataset, so dropping the picture would lose it"
            return [[Merge(cluster=cluster, reasons=[why]) for cluster in group] for group in groups]
        keys = {picture.key for cluster in clusters for picture in cluster.pictures}
        elsewhere = Merger(_claims_on(other, keys), [], dataset.taxonomy) if other else None
        merger = Merger(_claims_on(dataset, keys), dataset.table_rows("images"), dataset.taxonomy, elsewhere)
        return [merger.merge(group, told) for group in groups]

    def read_by_key(self, home: str, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Encoded bytes of pictures of one of both datasets, by id."""
        return self._readers[home](keys)

    def _read(self, positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Encoded bytes by position in both lists, one after the other."""
        everything = [*self.ours, *(self.theirs or ())]
        places: dict[str, dict[str, int]] = {home: {} for home in self._readers}
        for position in positions:
            places[everything[position].home][everything[position].key] = position
        for home, wanted in places.items():
            yield from ((wanted[key], data) for key, data in self.read_by_key(home, wanted))

    def command(self, what: str) -> str:
        """The command that decides, for people."""
        turned = " --turned" if self.config.turned else ""
        return f"dedup --hash {self.config.hash} --radius {self.radius}{turned} {what}"

    def title(self, found: Found) -> tuple[str, list[str]]:
        """Heading and first sentences of the contact sheet."""
        summary = [
            f"{self.dataset.name} {self.dataset.version} has {len(self.ours):,} pictures, and {len(found.clusters):,} "
            f"clusters that show the same. {len(found.look_alikes):,} pairs are the same but for some place. The "
            f"second look refused {found.refusals:,} of {found.candidates:,} pairs with near hashes."
        ]
        if self.other is not None:
            summary.append(f"Compared with {self.other.name} {self.other.version}.")
        return f"Duplicates in {self.dataset.name}", summary


def _choose(text: str, clusters: list[Cluster], names: PictureNames) -> Cluster:
    """The cluster of a name, or the only one that a picture is in."""
    named = {cluster.name: cluster for cluster in clusters}
    if text in named:
        return named[text]
    try:
        picture = names.find(text)
    except UsageError:
        picture = None
    found = [cluster for cluster in clusters if picture in {member.key for member in cluster.pictures}]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(cluster.name for cluster in found)
        raise UsageError(f"{text} is in {len(found)} clusters: {listed}. Give the name of one.")
    if picture is not None:
        raise UsageError(f"{names.name(picture)} is in no cluster; look with offside-data dedup, same options.")
    raise UsageError(
        f"{unknown_name_message('cluster', text, list(named))} The table of offside-data dedup names them."
    )


def _claims_on(dataset: OffsideDataset, pictures: Collection[str]) -> list[Record]:
    """The records that merging these pictures may touch: about one, about a copy of one, or correcting one of these."""
    import polars as pl

    about = pl.col("image_id").is_in(pictures) | pl.col("derived_from").is_in(pictures)
    named = dataset.claims(["record_id", "image_id", "derived_from", "corrects"])
    ids = named.filter(about)["record_id"]
    wanted = named.filter(about | pl.col("corrects").is_in(ids.implode()))["record_id"]
    return list(whole_records(dataset, pl.col("record_id").is_in(wanted.implode()), ["record_id"]))


def _apply(dataset: OffsideDataset, merges: list[Merge], command: str, reason: str = "") -> list[dict[str, Any]]:
    when = now()
    done = [(merge, _decision(merge, command, when, reason)) for merge in merges if not merge.reasons]
    # A row that several merges touch is in the end what the last one made of it.
    last = {(change.part, change.name): change for merge, _ in done for change in merge.changes}
    with change_dataset(dataset) as change:
        apply_changes(change, last.values())
        change.decide(decision for _, decision in done)
        for merge, decision in done:
            change.also_write(partial(save_undo, decision_id=decision["id"], changes=merge.changes))
    return [decision for _, decision in done]


def _decision(merge: Merge, command: str, when: str, reason: str) -> dict[str, Any]:
    cluster = merge.cluster
    what = {
        "kept": cluster.keeper.key,
        "dropped": [member.picture.key for member in cluster.others],
        "records_gone": merge.goes,
        "records_moved": merge.moves,
        **({"kept_in": cluster.keeper.home} if cluster.keeper.home else {}),
    }
    why = "; ".join(
        f"{member.picture.name} shows the same as {cluster.keeper.name}: "
        + ", ".join(f"{term} {fact}" for term, fact in likeness(member.distance, member.second_look).items())
        for member in cluster.others
    )
    return make_decision(KIND, what, f"{reason}; {why}" if reason else why, command=command, when=when)
