"""What differs between two datasets: records, subjects, pictures, taxonomy and card, field by field.

The law that tests hold it to: there is a change of a record, subject, picture or of the taxonomy exactly when the
digests differ. `offside_data.release.rules` says what each change asks of a version.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.front_matter import REWRITTEN
from offside_data.release.fields import FieldChange, Pairs, parse_sort
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Change", "Differences", "FieldChange", "compare", "diff_datasets"]

Kind = Literal["schema", "attribute", "taxonomy", "subject", "image", "record", "card", "takedown"]
Action = Literal["added", "removed", "changed"]
Leaves = Mapping[str, "pl.DataFrame"]
"""By part: `name` and `leaf` of its rows."""

_TABLE_KINDS: dict[str, Kind] = {"subjects": "subject", "images": "image"}
_ROW_KINDS: tuple[Kind, ...] = ("subject", "image", "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs.

    Args:
        kind: What sort of thing.
        action: What happened to it.
        name: Its id, or name.
        where: Where a record lies, or lay if it was removed: `config/split`.
        fields: What differs in it, where it was changed.
        count: How many things it stands for (takedowns are counted, never listed; see also `Differences.sorts`).
    """

    kind: Kind
    action: Action
    name: str
    where: str = ""
    fields: tuple[FieldChange, ...] = ()
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        """The change as plain values."""
        return dataclasses.asdict(self)


class Differences:
    """What differs: iterating gives every change, of taxonomy, subjects, pictures and records by name, then the card.

    Rows that differ are read when their fields are asked for, some at a time; both datasets must still be there.

    Args:
        a: The dataset as it was.
        b: The dataset as it is.
        leaves: Of both; parts that are left out don't differ.
    """

    def __init__(self, a: OffsideDataset, b: OffsideDataset, leaves: tuple[Leaves, Leaves]) -> None:
        self._a, self._b = a, b
        self._before = list(_taxonomy_changes(a.taxonomy, b.taxonomy))
        self._after = list(_card_changes(a.card, b.card))
        self._rows = {kind: _differing_rows(*(_leaves_of(kind, side) for side in leaves)) for kind in _ROW_KINDS}

    def __len__(self) -> int:
        return len(self._before) + sum(map(len, self._rows.values())) + len(self._after)

    def __iter__(self) -> Iterator[Change]:
        yield from self._before
        for kind, rows in self._rows.items():
            fields = iter(self._pairs.get(kind, ()))
            for name, where, action in rows.select("name", _where(kind), "action").iter_rows():
                found = next(fields) if action == "changed" else ()
                yield Change(kind=kind, action=action, name=name, where=where, fields=found)
        yield from self._after

    @functools.cached_property
    def sorts(self) -> list[Change]:
        """What differs, counted: one change for all rows that came, that went, and in which the same fields differ.

        It has the name of the first of them, `count`, and fields without what they were and are.
        """
        import polars as pl

        counted = []
        for kind, rows in self._rows.items():
            sorts = self._pairs[kind].sorts() if kind in self._pairs else pl.Series([], dtype=pl.String)
            changed = rows.filter(pl.col("action") == "changed").with_columns(sort=sorts)
            others = rows.filter(pl.col("action") != "changed").with_columns(sort=pl.lit(""))
            groups = pl.concat([changed, others]).group_by("action", "sort").agg(pl.len(), pl.col("name").min())
            for action, sort, count, name in groups.sort("name").iter_rows():
                fields = tuple(
                    FieldChange(field=field, before=None, after=None, alike=alike) for field, alike in parse_sort(sort)
                )
                counted.append(Change(kind=kind, action=action, name=name, fields=fields, count=count))
        return [*self._before, *counted, *self._after]

    @functools.cached_property
    def _pairs(self) -> dict[Kind, Pairs]:
        """By kind, the rows that were changed, where there are any."""
        import polars as pl

        changed = {kind: rows.filter(pl.col("action") == "changed") for kind, rows in self._rows.items()}
        return {kind: Pairs(self._a, self._b, rows) for kind, rows in changed.items() if len(rows)}


def compare(a: OffsideDataset, b: OffsideDataset) -> Differences:
    """What differs from `a` to `b`.

    Raises:
        DatasetError: If a file can't be read.
    """
    shared = shared_parts(a, b)
    leaves = [{part: side.leaves(part) for part in side.parts() if part not in shared} for side in (a, b)]
    return Differences(a, b, (leaves[0], leaves[1]))


def shared_parts(a: OffsideDataset, b: OffsideDataset) -> set[str]:
    """The parts whose files are the very same ones on disk, as hard links make them."""
    shared = set()
    for part in set(a.parts()) & set(b.parts()):
        before, after = a.files(part), b.files(part)
        if len(before) == len(after) and all(map(Path.samefile, before, after)):
            shared.add(part)
    return shared


def diff_datasets(a: str | Path, b: str | Path) -> list[Change]:
    """What differs between two datasets, given as references: everything at once; see `compare` for large ones.

    Raises:
        DatasetReferenceError: If a reference is malformed or stands for nothing.
        CardError: If a card is missing or malformed.
        DatasetError: If a file can't be read.
    """
    return list(compare(open_dataset(a), open_dataset(b)))


# ---------------------------------------------------------------------------------------------
# Rows


def _leaves_of(kind: Kind, leaves: Leaves) -> pl.DataFrame:
    """Columns `name`, `leaf` and `part` of the rows of one kind."""
    import polars as pl

    empty = pl.DataFrame(schema=dict.fromkeys(("name", "leaf", "part"), pl.String))
    found = [
        rows.select(pl.col("name").fill_null(""), "leaf", pl.lit(part).alias("part"))
        for part, rows in leaves.items()
        if _TABLE_KINDS.get(part, "record") == kind
    ]
    return pl.concat([empty, *found]).unique("name", keep="last")


def _differing_rows(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Columns `name`, `part`, `part_after` and `action` of the rows whose leaves differ, by name."""
    import polars as pl

    both = before.join(after, on="name", how="full", coalesce=True, suffix="_after")
    differing = both.filter(pl.col("leaf").ne_missing(pl.col("leaf_after")))
    action = pl.when(pl.col("leaf").is_null()).then(pl.lit("added")).when(pl.col("leaf_after").is_null())
    named = action.then(pl.lit("removed")).otherwise(pl.lit("changed")).alias("action")
    return differing.select("name", "part", "part_after", named).sort("name")


def _where(kind: Kind) -> pl.Expr:
    import polars as pl

    return (pl.coalesce("part_after", "part") if kind == "record" else pl.lit("")).alias("where")


# ---------------------------------------------------------------------------------------------
# Taxonomy and card


def _taxonomy_changes(a: Taxonomy, b: Taxonomy) -> Iterator[Change]:
    before, after = ({attribute.name: attribute for attribute in taxonomy.attributes} for taxonomy in (a, b))
    for name in dict.fromkeys([*a.names(), *b.names()]):
        if name not in after or name not in before:
            yield Change(kind="attribute", action="added" if name in after else "removed", name=name)
        elif before[name] != after[name]:
            fields = tuple(_differing(dataclasses.asdict(before[name]), dataclasses.asdict(after[name])))
            yield Change(kind="attribute", action="changed", name=name, fields=fields)
    heads = [{"name": t.name, "subject_noun": t.subject_noun, "order": t.names()} for t in (a, b)]
    if before.keys() != after.keys():
        del heads[0]["order"], heads[1]["order"]  # It says no more than that attributes came or went.
    if heads[0] != heads[1]:
        yield Change(kind="taxonomy", action="changed", name=b.name, fields=tuple(_differing(*heads)))


def _card_changes(a: Card, b: Card) -> Iterator[Change]:
    """What people wrote in the card: front matter and prose, but not what commands write."""
    heads = [
        {
            "name": card.name,
            **{key: value for key, value in card.data.items() if key not in REWRITTEN},
            "prose": _prose(card),
        }
        for card in (a, b)
    ]
    if heads[0] != heads[1]:
        yield Change(kind="card", action="changed", name=b.name, fields=tuple(_differing(*heads)))


def _prose(card: Card) -> str:
    own = copy.deepcopy(card)
    own.replace_sections(dict.fromkeys(own.section_names(), ""))
    return own.body.strip()


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for field in dict.fromkeys([*before, *after]):
        if before.get(field) != after.get(field):
            yield FieldChange(field=field, before=before.get(field), after=after.get(field))
