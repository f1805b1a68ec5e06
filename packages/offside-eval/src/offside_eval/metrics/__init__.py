"""Per-sample metrics: one metric = one file, the file name is the metric's name.

A module here (or an entry point in the group `offside_eval.metrics`) defines `Metric`, a frozen
dataclass derived from `SampleMetric`, and `PAPER`. A name may carry a variant: `bleu:paper`.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from offside_data.errors import PluginError, UsageError
from offside_data.plugins import Registry, unknown_name_message
from offside_eval.metrics._base import Need, Paper, Sample, SampleMetric, Score, not_scored

__all__ = [
    "Need",
    "Paper",
    "Sample",
    "SampleMetric",
    "Score",
    "load_metric",
    "load_metrics",
    "metric_module",
    "metric_names",
    "not_scored",
]

_REGISTRY = Registry("offside_eval.metrics", "metric")


def metric_names(*, variants: bool = False) -> list[str]:
    """All metrics there are, sorted; on request with their variants (`bleu`, `bleu:paper`)."""
    names = _REGISTRY.names()
    if variants:
        names += [f"{name}:{v}" for name in names for v in metric_module(name).Metric.variants]
    return sorted(names)


def metric_module(name: str) -> ModuleType:
    """The module of a metric, for its docstring and paper.

    Raises:
        PluginError: If there is none of that name, or its module defines no `Metric`.
    """
    module = _REGISTRY.load(name)
    if not issubclass(getattr(module, "Metric", object), SampleMetric):
        raise PluginError(f"metric {name!r}: {module.__name__} must define `class Metric(SampleMetric)`, a dataclass.")
    return module


def load_metric(name: str) -> SampleMetric:
    """Make the metric called `name`, or a variant of it (`name:variant`).

    Raises:
        PluginError: If there is no such metric.
        UsageError: If the metric has no such variant.
    """
    base, _, variant = name.partition(":")
    metric_type = metric_module(base).Metric
    if variant and variant not in metric_type.variants:
        raise UsageError(unknown_name_message(f"variant of metric {base!r}", variant, list(metric_type.variants)))
    metric: SampleMetric = metric_type(variant=variant) if variant else metric_type()
    return metric


def load_metrics(names: Iterable[str]) -> dict[str, SampleMetric]:
    """Make several metrics, in the order given, each once."""
    return {name: load_metric(name) for name in names}
