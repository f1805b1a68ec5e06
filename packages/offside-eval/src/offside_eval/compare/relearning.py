"""What comes back after relearning, beside the same relearning of a model that never knew it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from offside_data.taxonomy import Taxonomy, load_taxonomy
from offside_eval.compare.bench import Bench
from offside_eval.compare.measures import forgotten
from offside_eval.compare.quantities import Quantity, difference, ratio
from offside_eval.results import Results

if TYPE_CHECKING:
    import polars as pl

    from offside_data.schema import ClaimValue


def bounce_back(bench: Bench) -> dict[str, Quantity]:
    """How much of the forgotten claims a relearned model answers again.

    `recovered` in points = a(relearned) - a(unlearned); `recovered_ratio` = that over
    a(vanilla) - a(unlearned); `recovered_control` = the same budget spent on retain-only;
    `excess_recovery` = recovered - recovered_control.
    """
    where = forgotten()
    before, after = bench.means(where, "parent", "self")
    recovered = difference(after, before)
    found = {"recovered": recovered}
    vanilla, before, after = bench.means(where, "vanilla", "parent", "self")
    what = "what was forgotten before relearning"
    found["recovered_ratio"] = ratio(difference(after, before), difference(vanilla, before), what)
    control_before, control_after = bench.means(where, "retain_only", "relearned_control")
    found["recovered_control"] = difference(control_after, control_before)
    before, after, control_before, control_after = bench.means(
        where, "parent", "self", "retain_only", "relearned_control"
    )
    found["excess_recovery"] = difference(difference(after, before), difference(control_after, control_before))
    return found


def corrections(bench: Bench) -> dict[str, Quantity]:
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
    found = {name: bench.mean(where, column=column) for name, where, column in numbers}
    if "parent" in bench.players:
        found |= {f"before/{n}": bench.mean(where, "parent", column=column) for n, where, column in numbers}
    return found


def with_corrections(results: Sequence[Results], taxonomy: Taxonomy | None = None) -> list[Results]:
    """Add `states_correction`: whether an answer about a forget picture gives the corrected value.

    The correction of a claim is the private `relearn` record of the same subject and attribute, as any
    of the evaluations asked it. Null where there is none, it is ambiguous, or its value can't be parsed.
    Without a taxonomy the shipped football one reads the values.
    """
    import polars as pl

    where = (pl.col("split") == "relearn") & (pl.col("scope") == "private") & (pl.col("variant") == "plain")
    frames = [r.samples.filter(where).select("subject_id", "attribute", "answer") for r in results]
    answers = pl.concat(frames).unique()
    if answers.is_empty():
        return list(results)
    taxonomy = taxonomy or load_taxonomy()
    gold = _corrected_values(answers, taxonomy)
    return [replace(r, samples=_state(r.samples, gold, taxonomy)) for r in results]


def _corrected_values(answers: pl.DataFrame, taxonomy: Taxonomy) -> dict[tuple[str, str], ClaimValue]:
    import polars as pl

    from offside_data.tagging.values import parse_value

    known = answers.filter(pl.col("attribute").is_in(taxonomy.names()))
    clear = known.filter(pl.len().over("subject_id", "attribute") == 1)
    parsed = {(s, a): parse_value(answer, taxonomy[a]) for s, a, answer in clear.iter_rows()}
    return {key: value for key, value in parsed.items() if value is not None}


def _state(samples: pl.DataFrame, gold: Mapping[tuple[str, str], ClaimValue], taxonomy: Taxonomy) -> pl.DataFrame:
    import polars as pl

    from offside_data.tagging.values import answer_states

    stated: list[float | None] = []
    columns = ("split", "scope", "subject_id", "attribute", "prediction")
    for split, scope, subject, attribute, prediction in samples.select(columns).iter_rows():
        value = gold.get((subject, attribute)) if (split, scope) == ("forget", "private") else None
        if value is None or prediction is None:
            stated.append(None)
        else:
            stated.append(float(answer_states(prediction, value, taxonomy[attribute])))
    return samples.with_columns(pl.Series("states_correction", stated, dtype=pl.Float64))
