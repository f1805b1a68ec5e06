"""The numbers of one row: forgetting, keeping, selectivity and the rest.

With `a` = mean score on a set of records and the models vanilla `v`, unlearned `u` and retain-only
`ro`: forgetting = (a_v - a_u) / (a_v - a_ro), keeping = a_u / a_v. Names of quantities:

```
knows, drop, forgetting            private claims of what was to be forgotten (the headline)
…/CONFIG/SCOPE                     the same, by form of the question and scope of the claim
…/visual, …/not_visual             private claims that are readable in the picture, and the others
keeping                            what must survive: of the worst set, scope by scope
keeping/SLICE, …/SCOPE             each set, and the scopes of those with several
selectivity                        harmonic mean of forgetting and keeping/shared on the same pictures
specific_forgetting                drop beyond the drop on matched retain records
modality_gap                       forgetting on pictures minus forgetting on text
forgetting_by_choice, …_probability   forgetting by choice and by probability (`views`)
forgetting_least                   the least of forgetting and these views
rank                               where the true value stands among others: 0.5 = no preference
balance                            harmonic mean of the least forgetting and keeping: orders the table
remembered, read, reads_old        answers to the twins of visual rumours
asserts_donor                      private claims answered with the value of the run's donor
degenerate, cut                    share of degenerate answers, and of those cut at the limit of new tokens
recovered, …                       after relearning: see `relearning`
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from offside_data.figures import number
from offside_data.schema import VISUAL_CHANNELS
from offside_eval.aggregate import STATES_DONOR
from offside_eval.compare.extremes import with_extremes
from offside_eval.compare.quantities import (
    Quantity,
    difference,
    harmonic_mean,
    ratio,
    unscored,
)
from offside_eval.compare.scores import ScoreTable
from offside_eval.compare.views import by_view

if TYPE_CHECKING:
    import polars as pl

COLLAPSED_KEEPING = 0.5
COLLAPSED_DEGENERATE = 0.3


def forgotten() -> pl.Expr:
    """Plain rows of what was to be forgotten: private claims."""
    import polars as pl

    return (pl.col("slice") == "forget") & (pl.col("variant") == "plain") & (pl.col("scope") == "private")


def measure_all(scores: ScoreTable) -> dict[str, Quantity]:
    """Every number of one model that needs no other unlearned model."""
    found = {"knows": scores.mean(forgotten()), "asserts_donor": scores.mean(forgotten(), column=STATES_DONOR)}
    found |= _forgetting(scores, forgotten(), "")
    found |= _by_cell(scores)
    found |= _visual(scores)
    found |= _keeping(scores)
    found["selectivity"] = _selectivity(scores, found["forgetting"])
    found["specific_forgetting"] = _specific_forgetting(scores)
    found["modality_gap"] = _modality_gap(found)
    found |= by_view(scores, forgotten())
    found |= rank(scores)
    found |= _broken(scores)
    return with_extremes(found)


def _forgetting(scores: ScoreTable, where: pl.Expr, suffix: str) -> dict[str, Quantity]:
    """`forgetting` and, beside it, the raw drop, which needs no retain-only model."""
    vanilla, own = scores.means(where, "vanilla", "self")
    drop = difference(vanilla, own)
    if "retain_only" not in scores.arms:
        why = "the retain-only model is missing: only the raw drop is known"
        return {f"drop{suffix}": drop, f"forgetting{suffix}": unscored(why)}
    v, u, ro = scores.means(where, "vanilla", "self", "retain_only")
    what = "what vanilla knows beyond retain-only"
    return {f"drop{suffix}": drop, f"forgetting{suffix}": ratio(difference(v, u), difference(v, ro), what)}


def _of_the_request() -> pl.Expr:
    """Rows of the forget split that neither are to survive nor were the affair of an earlier request."""
    import polars as pl

    place = pl.col("slice")
    return (pl.col("split") == "forget") & ~place.str.starts_with("keep:") & ~place.str.starts_with("earlier:")


def _by_cell(scores: ScoreTable) -> dict[str, Quantity]:
    """Forgetting by config and scope, over everything of the forget split that isn't to survive."""
    import polars as pl

    rows = scores.rows.filter(_of_the_request())
    cells = rows.select("config", "scope").drop_nulls().unique().sort("config", "scope")
    found: dict[str, Quantity] = {}
    for config, scope in cells.iter_rows():
        where = (
            _of_the_request()
            & (pl.col("variant") == "plain")
            & (pl.col("config") == config)
            & (pl.col("scope") == scope)
        )
        found[f"knows/{config}/{scope}"] = scores.mean(where)
        found |= _forgetting(scores, where, f"/{config}/{scope}")
    return found


def _visual(scores: ScoreTable) -> dict[str, Quantity]:
    import polars as pl

    visual = pl.col("rumor_channel").is_in(VISUAL_CHANNELS)
    found = _forgetting(scores, forgotten() & visual, "/visual")
    found |= _forgetting(scores, forgotten() & ~visual, "/not_visual")
    found["remembered"] = scores.mean(pl.col("variant") == "blank")
    found["read"] = scores.mean(pl.col("variant") == "swapped")
    found["reads_old"] = scores.mean(pl.col("variant") == "swapped", column="states_old")
    return found


def _kept(name: str) -> pl.Expr:
    """Rows of one set that must survive; of `test` only the shared facts."""
    import polars as pl

    where = (pl.col("slice") == f"keep:{name}") & (pl.col("variant") == "plain")
    return where & ((pl.col("split") != "test") | (pl.col("scope") == "shared"))


def _keeping(scores: ScoreTable) -> dict[str, Quantity]:
    """`keeping` of each set and scope."""
    import polars as pl

    found: dict[str, Quantity] = {}
    for name in scores.slices("keep"):
        found[f"knows/{name}"] = scores.mean(_kept(name))
        scopes = scores.rows.filter(_kept(name))["scope"].drop_nulls().unique().sort().to_list()
        found[f"keeping/{name}"] = _ratio_to_vanilla(scores, _kept(name))
        of_scopes = {f"{name}/{s}": _ratio_to_vanilla(scores, _kept(name) & (pl.col("scope") == s)) for s in scopes}
        if len(of_scopes) > 1:
            found |= {f"keeping/{key}": quantity for key, quantity in of_scopes.items()}
    return found


def _ratio_to_vanilla(scores: ScoreTable, where: pl.Expr) -> Quantity:
    vanilla, own = scores.means(where, "vanilla", "self")
    return ratio(own, vanilla, "what vanilla knows of it")


def _selectivity(scores: ScoreTable, forgetting: Quantity) -> Quantity:
    """Harmonic mean of forgetting and of keeping the shared facts of the same pictures."""
    import polars as pl

    pictures = scores.rows.filter(forgotten())["image_id"].drop_nulls().unique()
    where = (
        pl.col("slice").str.starts_with("keep:")
        & (pl.col("variant") == "plain")
        & (pl.col("split") == "forget")
        & (pl.col("scope") == "shared")
        & pl.col("image_id").is_in(pictures.implode())
    )
    if scores.rows.filter(where).is_empty():
        return unscored("in this setting no shared facts of the same pictures are to be kept")
    vanilla, own = scores.means(where, "vanilla", "self")
    return harmonic_mean(forgetting, ratio(own, vanilla, "what vanilla knows of the shared facts"))


def _specific_forgetting(scores: ScoreTable) -> Quantity:
    """Drop on the forgotten minus the drop on retain records of the same subjects and attributes."""
    import polars as pl

    wanted = scores.rows.filter(forgotten()).select("subject_id", "attribute", "config").unique()
    keys = pl.concat_str("subject_id", "attribute", "config", separator="\0")
    matched = (pl.col("split") == "retain") & keys.is_in(wanted.select(keys.alias("key"))["key"].implode())
    before, after = scores.means(forgotten(), "vanilla", "self")
    kept_before, kept_after = scores.means(matched, "vanilla", "self")
    if kept_before.compute is None and before.compute is not None:
        return unscored("no retain records of the same subjects and attributes were asked")
    return difference(difference(before, after), difference(kept_before, kept_after))


def _modality_gap(found: dict[str, Quantity]) -> Quantity:
    sides = ("forgetting/multimodal/private", "forgetting/text/private")
    for side in sides:
        if side not in found:
            return unscored("private claims were asked in one form only, not in both")
    return difference(found[sides[0]], found[sides[1]])


def rank(scores: ScoreTable, arm: str = "self", prefix: str = "") -> dict[str, Quantity]:
    """Where the values to be forgotten stand among others of their kind: the area under the curve.

    Args:
        scores: The scores of the models involved.
        arm: Whose.
        prefix: Before the name of the number.

    Returns:
        Nothing where no record was ranked.
    """
    if "rank" not in scores.rows.columns:
        return {}
    return {f"{prefix}rank": scores.mean(forgotten(), arm, column="rank", corrected=False)}


def _broken(scores: ScoreTable) -> dict[str, Quantity]:
    """Shares of answers that are degenerate, and of those that were only cut: a long answer isn't a broken one."""
    import polars as pl

    if "degenerate" not in scores.rows.columns:
        why = unscored("the metric `degenerate` was not computed")
        return {"degenerate": why, "cut": why}
    plain = pl.col("variant") == "plain"
    return {name: scores.mean(plain, column=name) for name in ("degenerate", "cut")}


def collapse(found: Mapping[str, Quantity]) -> tuple[str, ...]:
    """Why a model counts as collapsed: its forgetting is damage; empty if it doesn't.

    The whole interval of retain or utility keeping lies below one half, or over 30 % of the answers are
    degenerate.

    Args:
        found: Its numbers: of one model, or read between two points of a curve.
    """
    reasons = []
    kept = {name.removeprefix("keeping/"): q for name, q in found.items() if name.startswith("keeping/")}
    for name, quantity in kept.items():
        parts = name.split("/")  # Config, split, scope; the rest of a narrowed request's forget split has no config.
        split, scope = "".join(parts[1:2]), parts[2:]
        interval = quantity.figure().interval if split in ("retain", "utility") else None
        if interval is None or interval.high is None or (scope and "/".join(parts[:2]) in kept):
            continue
        if interval.high < COLLAPSED_KEEPING:
            reasons.append(
                f"keeping on {name} is {number(interval.value)}, at most {number(interval.high)} "
                f"(below {COLLAPSED_KEEPING})"
            )
    share = found["degenerate"].value if "degenerate" in found else None
    if share is not None and share > COLLAPSED_DEGENERATE:
        reasons.append(f"{share:.0%} of the answers are degenerate (over {COLLAPSED_DEGENERATE:.0%})")
    return tuple(reasons)


__all__ = ["ScoreTable", "collapse", "forgotten", "measure_all", "rank"]
