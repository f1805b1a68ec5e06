"""What comes back after relearning, beside the same relearning of a model that never knew it."""

from __future__ import annotations

from offside_eval.compare.measures import forgotten, rank
from offside_eval.compare.quantities import Quantity, difference, ratio
from offside_eval.compare.scores import ScoreTable


def bounce_back(scores: ScoreTable) -> dict[str, Quantity]:
    """How much of the forgotten claims a relearned model answers again.

    `recovered` in points = a(relearned) - a(unlearned); `recovered_ratio` = that over
    a(vanilla) - a(unlearned); `recovered_control` = the same budget spent on retain-only;
    `excess_recovery` = recovered - recovered_control; `before/forgetting` = forgetting of the model before;
    `before/rank` = where it had the true values among others; `recovered_rank` = how much higher they stand now.
    """
    where = forgotten()
    before, after = scores.means(where, "parent", "self")
    recovered = difference(after, before)
    found = {"recovered": recovered}
    vanilla, before, after = scores.means(where, "vanilla", "parent", "self")
    what = "what was forgotten before relearning"
    found["recovered_ratio"] = ratio(difference(after, before), difference(vanilla, before), what)
    vanilla, before, retain_only = scores.means(where, "vanilla", "parent", "retain_only")
    gap = difference(vanilla, retain_only)
    found["before/forgetting"] = ratio(difference(vanilla, before), gap, "what vanilla knows beyond retain-only")
    control_before, control_after = scores.means(where, "retain_only", "relearned_control")
    found["recovered_control"] = difference(control_after, control_before)
    before, after, control_before, control_after = scores.means(
        where, "parent", "self", "retain_only", "relearned_control"
    )
    found["excess_recovery"] = difference(difference(after, before), difference(control_after, control_before))
    found |= rank(scores, "parent", "before/")
    if "before/rank" in found:
        before, after = scores.means(where, "parent", "self", column="rank", corrected=False)
        found["recovered_rank"] = difference(after, before)
    return found


def corrections(scores: ScoreTable) -> dict[str, Quantity]:
    """The corrected values, counted apart from the old rumour (which is `knows`).

    `corrected` = given on the forget picture; `correction_learnt` = on the picture that taught them;
    `before/…` = the same numbers of the model before relearning.
    """
    import polars as pl

    learnt = (pl.col("split") == "relearn") & (pl.col("scope") == "private") & (pl.col("variant") == "plain")
    numbers = (
        ("knows", forgotten(), None),
        ("corrected", forgotten(), "states_correction"),
        ("correction_learnt", learnt, None),
    )
    found = {name: scores.mean(where, column=column) for name, where, column in numbers}
    if "parent" in scores.arms:
        found |= {f"before/{n}": scores.mean(where, "parent", column=column) for n, where, column in numbers}
    return found
