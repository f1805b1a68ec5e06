"""Is everything tagged: no record without an attribute, no claim whose veracity the rest of the dataset contradicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from offside_data.checks._base import CheckedDataset, severity_of
from offside_data.issues import Issue
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import same_value
from offside_data.tagging.veracity import veracity_by_role, veracity_doubts
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

_LISTS = ("sources", "annotations", "question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices")
_FIELDS = [field.name for field in dataclasses.fields(Record) if field.name not in ("record_id", "image")]


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Count untagged records file by file, and compare claims with their sources, targets and roles."""
    import polars as pl

    untagged = checked.records.filter(pl.col("attribute") == UNTAGGED.name)
    for part, count in untagged.group_by("part", maintain_order=True).len().rows():
        message = f"{count} records have no attribute yet. Run `offside-data tag`, then decide the rest by hand."
        yield Issue("error", "untagged", part, message)
    taxonomy = checked.dataset.taxonomy
    rows = checked.whole(_doubtful(checked.records, taxonomy), *_FIELDS)
    # Of one that lacks a list no record can be made; `records` says so.
    known = {row["record_id"]: row for row in rows if all(row[field] is not None for field in _LISTS)}
    records = [Record.from_row({**row, "image": None}) for row in known.values()]
    for name, doubts in veracity_doubts(records, taxonomy).items():
        for doubt in doubts:
            severity = severity_of(known[name]) if doubt.code == "correction-repeats" else "warning"
            yield Issue(severity, doubt.code, name, f"{doubt.why}.")


def _doubtful(records: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The records whose veracity is doubtful, with those that make it so: the rules of `veracity_doubts` by columns."""
    import polars as pl

    col = pl.col
    claims = records.with_row_index("at").filter(col("attribute").is_in(taxonomy.names()))
    about = claims.filter(col("subject_id").is_not_null()).select(
        *("at", "record_id", "subject_id", "attribute", "value", "corrects", "official"),
        is_rumor=col("veracity") == "rumor",
    )
    rumors, others = about.filter("is_rumor"), about.filter(~col("is_rumor"), "official")
    told = rumors.join(others, on=["subject_id", "attribute"], suffix="_of_other")
    targets = claims.unique("record_id", keep="last")
    repeated = about.drop("record_id").join(
        targets.select("at", "attribute", "value", corrects="record_id"), on="corrects", suffix="_of_other"
    )
    repeated = repeated.filter(col("attribute") == col("attribute_of_other"))
    # One rumor goes along: only a dataset that has any gives its splits these roles.
    found = [rumors["at"].head(1), rumors.filter("official")["at"]]
    for pairs in (told, repeated):
        same = pairs.filter(_say_the_same(pairs, taxonomy))
        found += [same["at"], same["at_of_other"]]
    roles = claims.select("split", "scope", "veracity").unique()
    odd = [split != "holdout" and word != veracity_by_role(split, scope) for split, scope, word in roles.rows()]
    misplaced = claims.join(
        roles.filter(pl.Series(odd, dtype=pl.Boolean)), on=roles.columns, nulls_equal=True, how="semi"
    )
    if len(rumors):
        found.append(misplaced["at"])
    return claims.filter(col("at").is_in(pl.concat(found).implode()))


def _say_the_same(pairs: pl.DataFrame, taxonomy: Taxonomy) -> pl.Series:
    """Whether two records of one attribute have the same value."""
    import polars as pl

    rows = pairs.select("attribute", "value", "value_of_other").rows()
    same = [a and b and same_value(ClaimValue(**a), ClaimValue(**b), taxonomy[name]) for name, a, b in rows]
    return pl.Series(map(bool, same), dtype=pl.Boolean)
