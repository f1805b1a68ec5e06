"""Means with intervals per slice, scope and variant: what `aggregates.json` holds.

One entry a metric and group. A group is a slice (`forget`, `keep:multimodal/retain`, …) in one
config, split and variant, once with all its records (`scope` null) and once a scope. A group
without any scored record has no entry: the mean of nothing isn't a number, least of all 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_data.strict import Strict
from offside_eval.statistics import mean_estimate

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class Aggregate(Strict):
    """The mean of one metric over one group of records.

    Args:
        setting: Name of the setting.
        role: `forget`, `keep`, `measure` or `earlier`: what the slice is there for.
        slice: Name of the slice.
        config: Its config.
        split: Its split.
        modality: What its questions need.
        variant: How pictures were shown.
        scope: `shared` or `private`; null for the whole slice.
        metric: Name of the metric, or `DONOR_VALUE`.
        value: The mean.
        low: Lower bound of its interval, null where there is none.
        high: Upper bound.
        n_scored: Records behind the mean.
        n_skipped: Records that weren't scored.
        n_subjects: Subjects behind the mean.
        kinds: Records by kind of answer.
    """

    setting: str
    role: str
    slice: str
    config: str
    split: str
    modality: str
    variant: str
    scope: str | None
    metric: str
    value: float
    low: float | None
    high: float | None
    n_scored: int
    n_skipped: int
    n_subjects: int
    kinds: Mapping[str, int]


DONOR_VALUE, STATES_DONOR = "donor_value", "states_donor"
"""Share of the forgotten claims answered with the value of the donor that the run had for them, and its column.

It is no metric: only a run with donors has it, and a claim only where its donor has a record of the attribute.
"""
_GROUP = ["slice", "config", "split", "modality", "variant"]


def aggregate(samples: pl.DataFrame, metrics: list[str], *, setting: str) -> list[Aggregate]:
    """Aggregate every metric over every group of `samples`, and how often the value of a run's donor was given.

    Args:
        samples: One row a record, slice and variant, as `samples.parquet` holds it.
        metrics: Names of the metrics' columns.
        setting: Name that goes into every entry.

    Returns:
        Means whose intervals are over subjects; records without a subject are clustered by picture.
    """
    entries: list[Aggregate] = []
    for key, group in samples.group_by(_GROUP, maintain_order=True):
        where = dict(zip(_GROUP, key, strict=True))
        role = where["slice"].partition(":")[0]
        scopes = sorted(group["scope"].drop_nulls().unique())
        for scope in (None, *scopes):
            rows = group if scope is None else group.filter(group["scope"] == scope)
            for metric in (*metrics, DONOR_VALUE):
                found = _mean(rows, metric)
                if found is not None:
                    entries.append(Aggregate(setting=setting, role=role, scope=scope, **where, **found))
    return entries


def clusters(rows: pl.DataFrame) -> list[str]:
    """What hangs together: each row's subject, its picture where there is none, else the record itself."""
    return [
        subject or image or record
        for subject, image, record in rows.select("subject_id", "image_id", "record_id").iter_rows()
    ]


def _mean(rows: pl.DataFrame, metric: str) -> dict[str, Any] | None:
    column = STATES_DONOR if metric == DONOR_VALUE else metric
    if column not in rows.columns:
        return None
    scored = rows.filter(rows[column].is_not_null())
    if scored.is_empty():
        return None
    interval = mean_estimate(scored[column].to_numpy(), clusters(scored)).interval()
    told = f"{column}.kind"
    kinds = scored[told].drop_nulls().value_counts().sort(told) if told in scored.columns else None
    return {
        "metric": metric,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "n_scored": scored.height,
        "n_skipped": rows.height - scored.height,
        "n_subjects": interval.n_clusters,
        "kinds": {} if kinds is None else dict(kinds.iter_rows()),
    }
