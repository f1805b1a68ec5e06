"""Give the records of a dataset their splits by a policy, and keep the rules that splits have.

What a policy doesn't say follows from what it says: an augmented picture follows the one it was made from, a
correction that comes into `relearn` is linked to its rumour, one that leaves it is unlinked, and the images table
says the same as the records. A placement that breaks the data model is refused as a whole.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.config import build
from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.storage import Row
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import UsageError, listed
from offside_data.schema import SUBJECTLESS_SPLITS, Record, Split
from offside_data.splits._base import HOMES, POLICIES, Unit

if TYPE_CHECKING:
    import polars as pl

DECISION = "split"
"""Kind of the decisions that say what a policy moved."""
READ = (
    *("record_id", "subject_id", "image_id", "modality", "split", "attribute", "scope", "veracity"),
    *("corrects", "derived_from"),
)
"""What is read of the records, and what a policy sees of them."""


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """What a policy did.

    Args:
        policy: Its name.
        moved: Records by `from -> to`.
        splits: Records by `config/split` afterwards.
        subjects: Subjects that may be in any split: those of the cohort holdout don't count.
        forgotten: How many of them have records in `forget` afterwards.
        linked: Corrections that got their rumour.
        unlinked: Corrections that lost it.
    """

    policy: str
    moved: dict[str, int]
    splits: dict[str, int]
    subjects: int
    forgotten: int
    linked: int
    unlinked: int


@changes(unless="dry_run")
def split_dataset(
    folder: str | Path,
    policy: str = "ratio",
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    dry_run: bool = False,
) -> SplitReport:
    """Give the records of a dataset folder their splits.

    Args:
        folder: The dataset folder; changed in place, as a whole or not at all.
        policy: Name of a policy, see `offside_data.splits`.
        settings: The policy's own options.
        seed: Seed of what a policy draws.
        dry_run: Only say what would move.

    Raises:
        PluginError: If the policy is unknown.
        UsageError: If an option is wrong, or the placement breaks a rule; names the records.
    """
    module = POLICIES.load(policy)
    options = build(module.Options, settings or {})
    dataset = open_dataset(folder)
    records = list(dataset.iter_records(READ))
    images = dataset.frame("images", ["image_id", "source", "twin_of", "split"])
    units = units_of(records, dataset.frame("subjects"), images, read_decisions(dataset.path))
    told = module.place(units, options, seed)
    placed = _with_followers(units, told)
    before = {record.record_id: record for record in records}
    moved = {name: split for name, split in placed.items() if split != before[name].split}
    records = list(_moved_records(records, moved))
    _require_rules(records, moved, policy)
    if moved and not dry_run:
        how = {"policy": policy, "options": _plain(options), "seed": seed}
        settled = told.keys() if module.SETTLES else ()
        with change_dataset(dataset) as change:
            change.decide(_decisions(before, moved, settled, how, (module.__doc__ or "").split("\n", 1)[0]))
            change.set_table("images", with_splits(change.tables["images"], records, moved))
            change.update_records((r for r in records if r.record_id in moved), ["split", "corrects"])
    after = {record.record_id: record for record in records}
    links = Counter((before[name].corrects is None, after[name].corrects is None) for name in moved)
    return SplitReport(
        policy=policy,
        moved=dict(sorted(Counter(f"{before[name].split} -> {split}" for name, split in moved.items()).items())),
        splits=dict(sorted(Counter(f"{record.modality}/{record.split}" for record in records).items())),
        subjects=len({unit.subject_id for unit in units}),
        forgotten=len({u.subject_id for u in units for r in u.records if after[r.record_id].split == "forget"}),
        linked=links[True, False],
        unlinked=links[False, True],
    )


def _plain(options: Any) -> dict[str, Any]:
    """Options for a decision, which is published: files by name, not by place."""
    return {key: value.name if isinstance(value, Path) else value for key, value in dataclasses.asdict(options).items()}


def units_of(
    records: Iterable[Record], subjects: pl.DataFrame, images: pl.DataFrame, decisions: Iterable[Row]
) -> list[Unit]:
    """What a policy may place: pictures and records of subjects, but not of those that no model ever sees."""
    import polars as pl

    unseen = set(subjects.filter(pl.col("cohort") == "holdout")["subject_id"])
    sources = dict(images.select("image_id", "source").iter_rows())
    homes = _homes(decisions)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.subject_id is not None and record.subject_id not in unseen and record.split not in SUBJECTLESS_SPLITS:
            groups[record.subject_id, record.image_id or record.record_id].append(record)
    units = []
    for (subject, name), found in groups.items():
        first = min(found, key=lambda record: record.modality != "multimodal")
        units.append(
            Unit(
                records=(first, *(record for record in found if record is not first)),
                subject_id=subject,
                image_id=first.image_id,
                source=sources.get(name),
                home=homes.get(name if first.modality == "multimodal" else first.record_id, first.split),
            )
        )
    return units


def _homes(decisions: Iterable[Row]) -> dict[str, Split]:
    """The split that each picture and text record was told to be in, or was in before it was drawn into another."""
    homes: dict[str, Split] = {}
    for decision in decisions:
        if decision.get("kind") == DECISION:
            what = decision["what"]
            for name in [*what.get("pictures", ()), *what.get("text_records", ())]:
                if what.get("settled"):
                    homes[name] = what["to"]
                else:
                    homes.setdefault(name, what["from"])
    return homes


def _with_followers(units: Iterable[Unit], placed: Mapping[str, Split]) -> dict[str, Split]:
    """The placement, in which augmented pictures that it doesn't move follow their originals that it moves.

    A copy that stands beside its original stays there. Any other is for tests of what is kept: once the original
    isn't kept any more, it is for nobody.
    """
    followed = dict(placed)
    known: dict[str | None, Unit] = {unit.image_id: unit for unit in units if unit.image_id is not None}
    for unit in known.values():
        original = _original(unit, known)
        before, after = original.split(), original.split(placed)
        if original is not unit and before != after and unit.split(placed) == unit.split():
            followed |= unit.to(after if unit.home == original.home else "test" if after == "retain" else "holdout")
    return followed


def _original(unit: Unit, known: Mapping[str | None, Unit]) -> Unit:
    seen = {unit.image_id}
    while (parent := unit.records[0].derived_from) in known and parent not in seen:
        seen.add(parent)
        unit = known[parent]
    return unit


def _moved_records(records: Iterable[Record], moved: Mapping[str, Split]) -> Iterator[Record]:
    """The records in their new splits; `corrects` is given to those that come into `relearn`, taken from others."""
    placed = [dataclasses.replace(r, split=moved[r.record_id]) if r.record_id in moved else r for r in records]
    rumors: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for record in placed:
        if record.split == "forget" and record.veracity == "rumor":
            rumors[record.subject_id, record.attribute, record.modality].append(record.record_id)
    for record in placed:
        if record.record_id not in moved:
            yield record
        elif (record.split, record.scope, record.veracity) == ("relearn", "private", "correction"):
            fitting = rumors[record.subject_id, record.attribute, record.modality]
            # Which of several rumours is meant, nobody said: `check` asks for it.
            yield dataclasses.replace(record, corrects=fitting[0] if len(fitting) == 1 else None)
        else:
            yield dataclasses.replace(record, corrects=None)


def with_splits(images: pl.DataFrame, records: Sequence[Record], moved: Mapping[str, Split]) -> pl.DataFrame:
    """The images table, in which moved pictures and their twins have the split of their records."""
    import polars as pl

    touched = {record.image_id for record in records if record.record_id in moved}
    asked_last = sorted(records, key=lambda record: record.modality == "multimodal")
    splits = {record.image_id: record.split for record in asked_last if record.image_id in touched}
    shown = pl.coalesce("twin_of", "image_id").replace_strict(splits, default=None, return_dtype=pl.String)
    return images.with_columns(split=pl.coalesce(shown, "split"))


def _require_rules(records: Sequence[Record], moved: Mapping[str, Split], policy: str) -> None:
    """Refuse a placement that breaks a rule of the data model.

    Raises:
        UsageError: Naming the first records.
    """
    problems = list(placement_problems(records, moved))
    if problems:
        shown = listed([f"record {problem}" for problem in problems])
        raise UsageError(
            f"--policy {policy} can't be followed, nothing was changed:\n{shown}\n"
            "Correct what the records say (`offside-data tag`), or place them otherwise with --policy file."
        )


def placement_problems(records: Sequence[Record], moved: Mapping[str, Split]) -> Iterator[str]:
    """What is wrong with the records that moved, and with those that others moved away from; each names its record."""
    pictures: dict[str | None, set[str]] = defaultdict(set)
    for record in records:
        if record.modality == "multimodal":
            pictures[record.image_id].add(record.split)
    touched = {record.image_id for record in records if record.record_id in moved}
    for record in records:
        if record.record_id in moved and record.veracity not in HOMES:
            yield f"{record.record_id}: veracity is {record.veracity!r}; allowed: {', '.join(HOMES)}."
        elif record.record_id in moved and record.split not in HOMES[record.veracity]:
            homes = " or ".join(HOMES[record.veracity])
            yield f"{record.record_id}: a {record.veracity} belongs in {homes}, not in {record.split}."
        elif record.record_id in moved and len(pictures[record.image_id]) > 1:
            stands = " and ".join(sorted(pictures[record.image_id]))
            yield f"{record.record_id}: its picture {record.image_id} would stand in {stands}."
        elif (
            (record.split, record.scope) == ("test", "private")
            and not touched.isdisjoint({record.image_id, record.derived_from})
            and "retain" not in pictures[record.derived_from]
        ):
            yield (
                f"{record.record_id}: a private claim may be tested only on a picture derived_from one in retain; "
                f"derived_from is {record.derived_from!r}."
            )


def _decisions(
    before: Mapping[str, Record], moved: Mapping[str, Split], settled: Container[str], how: Mapping[str, Any], why: str
) -> Iterator[Row]:
    """One decision for each pair of splits that something moves between; `settled` is what a person placed."""
    groups: dict[tuple[str, str, bool], list[Record]] = defaultdict(list)
    for name, split in moved.items():
        groups[before[name].split, split, name in settled].append(before[name])
    for (source, target, is_settled), records in sorted(groups.items()):
        what = {
            **how,
            "from": source,
            "to": target,
            "settled": is_settled,
            "pictures": sorted({str(r.image_id) for r in records if r.modality == "multimodal"}),
            "text_records": sorted(r.record_id for r in records if r.modality == "text"),
        }
        yield make_decision(DECISION, what, why, command=f"split --policy {how['policy']}")
