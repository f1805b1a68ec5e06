"""Means with intervals per slice, scope and variant: what `aggregates.json` holds.

One entry a metric and group. A group is a slice (`forget`, `keep:multimodal/retain`, …) in one
config, split and variant, once with all its records (`scope` null) and once a scope. A group
without any scored record has no entry: the mean of nothing isn't a number, least of all 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offside_eval.statistics import N_BOOT, bootstrap_mean

if TYPE_CHECKING:
    import polars as pl

_GROUP = ["slice", "config", "split", "modality", "variant"]


def aggregate(
    samples: pl.DataFrame, metrics: list[str], *, setting: str, n_boot: int = N_BOOT, seed: int = 0
) -> list[dict[str, Any]]:
    """Aggregate every metric over every group of `samples`.

    Args:
        samples: One row a record, slice and variant, as `samples.parquet` holds it.
        metrics: Names of the metrics' columns.
        setting: Name that goes into every entry.
        n_boot: Resamples an interval rests on.
        seed: Of the resampling.

    Returns:
        Entries with value, low, high, n_scored, n_skipped, n_subjects and the counts of the answers'
        kinds. Intervals resample subjects; records without a subject are clustered by picture.
    """
    entries: list[dict[str, Any]] = []
    for key, group in samples.group_by(_GROUP, maintain_order=True):
        where = dict(zip(_GROUP, key, strict=True))
        role = where["slice"].partition(":")[0]
        scopes = sorted(group["scope"].drop_nulls().unique())
        for scope in (None, *scopes):
            rows = group if scope is None else group.filter(group["scope"] == scope)
            for metric in metrics:
                found = _mean(rows, metric, n_boot=n_boot, seed=seed)
                if found is not None:
                    entries.append({"setting": setting, "role": role, **where, "scope": scope, **found})
    return entries


def clusters(rows: pl.DataFrame) -> list[str]:
    """What hangs together: each row's subject, its picture where there is none, else the record itself."""
    return [
        subject or image or record
        for subject, image, record in rows.select("subject_id", "image_id", "record_id").iter_rows()
    ]


def _mean(rows: pl.DataFrame, metric: str, *, n_boot: int, seed: int) -> dict[str, Any] | None:
    scored = rows.filter(rows[metric].is_not_null())
    if scored.is_empty():
        return None
    interval = bootstrap_mean(scored[metric].to_numpy(), clusters(scored), n_boot=n_boot, seed=seed)
    kinds = scored[f"{metric}.kind"].drop_nulls().value_counts().sort(f"{metric}.kind")
    return {
        "metric": metric,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "n_scored": scored.height,
        "n_skipped": rows.height - scored.height,
        "n_subjects": interval.n_clusters,
        "kinds": dict(kinds.iter_rows()),
    }
