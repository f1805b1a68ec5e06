"""Per-sample metrics: one metric = one file, the file name is the metric's name.

A module here (or an entry point in the group `offside_eval.metrics`) defines `Metric`, a frozen
dataclass derived from `SampleMetric`, and `PAPER`, where it was published. A name may carry a variant:
`bleu:paper`. All that a metric is made of is imported from here.
"""

from __future__ import annotations

from collections.abc import Iterable

from offside_data.paper import Paper
from offside_data.plugins import Registry, require_known
from offside_data.schema import ClaimValue
from offside_data.taxonomy import Attribute
from offside_eval.metrics._base import Need, Sample, SampleMetric, Score, not_scored

__all__ = [
    "METRICS",
    "Attribute",
    "ClaimValue",
    "Need",
    "Paper",
    "Sample",
    "SampleMetric",
    "Score",
    "load_metric",
    "load_metrics",
    "metric_names",
    "not_scored",
]

METRICS = Registry("offside_eval.metrics", "metric", needs={"Metric": SampleMetric, "PAPER": Paper})


def metric_names(*, variants: bool = False) -> list[str]:
    """All metrics there are, sorted; on request with their variants (`bleu`, `bleu:paper`)."""
    names = METRICS.names()
    if variants:
        names += [f"{name}:{v}" for name in names for v in METRICS.load(name).Metric.variants]
    return sorted(names)


def load_metric(name: str) -> SampleMetric:
    """Make the metric called `name`, or a variant of it (`name:variant`).

    Raises:
        PluginError: If there is no such metric, or its module lacks what a metric needs.
        UsageError: If the metric has no such variant.
    """
    base, _, variant = name.partition(":")
    metric_type = METRICS.load(base).Metric
    require_known(f"variant of metric {base!r}", [variant] if variant else [], metric_type.variants)
    metric: SampleMetric = metric_type(variant=variant) if variant else metric_type()
    return metric


def load_metrics(names: Iterable[str]) -> dict[str, SampleMetric]:
    """Make several metrics, in the order given, each once."""
    return {name: load_metric(name) for name in names}
