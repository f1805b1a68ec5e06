"""What is said of a claim: fact, rumour or correction, and where that doesn't fit the rest of the dataset.

A source that has a word for it wins: adapters keep it. Where none says, the role decides: of a `forget` picture the
private claims are rumours, of a `relearn` picture corrections; everything else is a fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.frames import formatted
from offside_data.schema import ClaimValue, Scope, Split, Veracity
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

READ = ("record_id", "subject_id", "split", "attribute", "scope", "veracity", "value", "corrects")
"""Columns of records that tell whether a veracity is doubtful, besides `official`."""
_VERACITY_BY_SPLIT: dict[str, Veracity] = {"forget": "rumor", "relearn": "correction"}
"""What private claims are; elsewhere, and if they are shared, claims are facts."""


def veracity_by_role(split: Split, scope: Scope | None) -> Veracity:
    """What a claim is by its split and scope, where nobody says."""
    return _VERACITY_BY_SPLIT.get(split, "fact") if scope == "private" else "fact"


def has_official_source() -> pl.Expr:
    """Whether a record has an official source, from its `sources`."""
    import polars as pl

    tiers = pl.col("sources").list.eval(pl.element().struct.field("tier") == "official")
    return tiers.list.any().fill_null(False).alias("official")


def veracity_doubts(claims: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """What is doubtful about the veracity of records.

    * `rumor-official`: a rumour says what an official source says of the same subject.
    * `correction-repeats`: a correction says the same as the rumour that it corrects.
    * `veracity-role`: a claim isn't what its role makes it. Datasets without a single rumour are about something
      else and have no such roles; what is held out may be anything.

    Args:
        claims: All records, with the columns `READ` and `official` (`has_official_source`).
        taxonomy: Their taxonomy.

    Returns:
        Columns `record_id`, `code` (stable) and `why` (a sentence for people), in the order of the records.
    """
    import polars as pl

    col = pl.col
    rows = claims.select(*READ, "official").with_row_index("row")
    is_about = col("subject_id").is_not_null() & col("attribute").is_not_null()
    is_rumor = col("veracity") == "rumor"
    said = rows.select("row", "record_id", "subject_id", "attribute", "value", "official", is_rumor=is_rumor)
    rumors = said.filter(is_about & col("is_rumor"))
    officials = said.filter(is_about & ~col("is_rumor") & col("official"))
    told = _that_say_the_same(rumors.join(officials, on=["subject_id", "attribute"], suffix="_there"), taxonomy)
    told = told.sort("row", "row_there").unique("row", keep="first")
    corrections = rows.filter(is_about & col("corrects").is_not_null())
    targets = rows.filter(col("record_id").is_in(corrections["corrects"].unique().implode()))
    targets = targets.unique("record_id", keep="last").select("attribute", "value", corrects="record_id")
    pairs = corrections.join(targets, on="corrects", suffix="_there")
    repeated = _that_say_the_same(pairs.filter(col("attribute") == col("attribute_there")), taxonomy)
    of_split = col("split").replace_strict(_VERACITY_BY_SPLIT, default="fact")
    role = pl.when(col("scope") == "private").then(of_split).otherwise(pl.lit("fact"))
    is_odd = is_about & (col("split") != "holdout") & (col("veracity") != role) & said["is_rumor"].any()
    roles = rows.filter(is_odd).with_columns(role=role)
    official = "a rumor, but an official source says the same in record {}"
    place = "a {} claim in {} should be a {}, but is a {}"
    found = [
        (told, "rumor-official", formatted(official, "record_id_there")),
        (rumors.filter("official"), "rumor-official", pl.lit("a rumor, but one of its own sources is official")),
        (repeated, "correction-repeats", formatted("it corrects record {} but says the same", "corrects")),
        (roles, "veracity-role", formatted(place, col("scope").fill_null("None"), "split", "role", "veracity")),
    ]
    doubts = pl.concat(
        frame.select("row", "record_id", pl.lit(code).alias("code"), why.alias("why")) for frame, code, why in found
    )
    return doubts.sort("row", maintain_order=True).drop("row")


def _that_say_the_same(pairs: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """Those pairs of records about one attribute that state the same `value` and `value_there`."""
    import polars as pl

    pairs = pairs.filter(pl.col("value").is_not_null() & pl.col("value_there").is_not_null()).with_row_index("pair")
    groups = pairs.group_by("attribute", "value", "value_there").agg("pair")
    same = [
        same_value(ClaimValue(**here), ClaimValue(**there), taxonomy[name])
        for name, here, there in groups.select("attribute", "value", "value_there").iter_rows()
    ]
    return pairs[groups.filter(pl.Series(same, dtype=pl.Boolean))["pair"].explode().drop_nulls().sort()]
