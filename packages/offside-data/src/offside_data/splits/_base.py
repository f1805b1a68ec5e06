"""What a split policy is, and the pieces that it places.

A policy is a module with a docstring (its first line says what the policy does) that defines

* `SETTLES`: whether it says where a record belongs, so that policies that draw go on from there;
* `Options`: a frozen dataclass of its options; `--set key=value` fills it in;
* `place(units, options, seed) -> dict[str, Split]`: the split of each record that it places, by record id. A
  record that it leaves out stays where it is, or follows the picture that its own was made from.

`offside_data.split` does the rest for all policies: augmented pictures, corrections, rules, decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from offside_data.plugins import Registry
from offside_data.schema import Record, Split, Veracity

POLICIES = Registry(
    "offside_data.splits",
    "split policy",
    entry_points="offside_data.release.splits",
    needs={"__doc__": str, "SETTLES": bool, "Options": type, "place": Callable},
    contract=__name__,
)
"""All split policies, ours and third parties'."""

HOMES: dict[Veracity, tuple[Split, ...]] = {
    "fact": ("retain", "forget", "test", "relearn", "holdout"),
    "rumor": ("forget", "holdout"),
    "correction": ("relearn", "holdout"),
}
"""Where a claim may stand: a rumour in `retain` would be kept, in `test` it would count as true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What moves as one: all records about one picture, or one record about none.

    Args:
        records: Its records, those that show the picture first; only the fields of `offside_data.split.READ` are read.
        subject_id: Whose they are.
        image_id: The picture; null for a record about none.
        source: Where the picture came from, as the images table says, e.g. `offside:004.jpg`.
        home: The split it was in before any policy drew it into another. Policies go by it, so that what was drawn
            earlier makes no difference.
    """

    records: tuple[Record, ...]
    subject_id: str
    image_id: str | None
    source: str | None
    home: Split

    def split(self, placed: Mapping[str, Split] | None = None) -> Split:
        """The split it is in, now or as `placed`: that of its picture records, if it has any."""
        return (placed or {}).get(self.records[0].record_id, self.records[0].split)

    @property
    def veracity(self) -> Veracity:
        """What its claims are: a picture with one rumour is a rumour's."""
        found = {record.veracity for record in self.records}
        return "rumor" if "rumor" in found else "correction" if "correction" in found else "fact"

    def to(self, split: Split) -> dict[str, Split]:
        """All its records in one split."""
        return {record.record_id: split for record in self.records}


def by_subject(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    """The units of each subject."""
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(unit.subject_id, []).append(unit)
    return groups


def place_subject(units: Iterable[Unit], *, forget: bool) -> dict[str, Split]:
    """The splits of one subject's records, whose claims decide where they may stand.

    A subject to be forgotten has its rumours in `forget`, their corrections in `relearn`, and keeps its true claims;
    without any rumour, everything about it is to be forgotten. Rumours and corrections of a subject that is not to
    be forgotten are for nobody to learn: `holdout`. What was made for `test` or `holdout` stays there, for no model
    was ever to be trained on it.
    """
    units = list(units)
    unseen = ("test", "holdout")
    whole = forget and all(unit.veracity != "rumor" or unit.home in unseen for unit in units)
    placed: dict[str, Split] = {}
    for unit in units:
        if unit.home in unseen:
            placed |= unit.to("holdout" if whole else unit.home)
        elif unit.veracity == "fact":
            placed |= unit.to("forget" if whole else "retain")
        elif not forget:
            placed |= unit.to("holdout")
        else:
            placed |= unit.to("forget" if unit.veracity == "rumor" else "relearn")
    return placed
