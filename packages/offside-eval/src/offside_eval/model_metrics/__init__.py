"""Metrics of a whole model: one metric = one file, the file name is the metric's name.

A module here (or an entry point in the group `offside_eval.model_metrics`) defines `Metric`, a frozen dataclass derived
from `ModelMetric`, and `PAPER`, where it was published. Such a metric asks the model nothing: it reads the per-sample
files of an evaluation and, where it declares so, those of controls; so it can be computed long afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable

from offside_data.paper import Paper
from offside_data.plugins import Registry
from offside_eval.model_metrics._base import ComparedMetric, Control, Measured, ModelMetric, cannot

__all__ = [
    "MODEL_METRICS",
    "ComparedMetric",
    "Control",
    "Measured",
    "ModelMetric",
    "Paper",
    "cannot",
    "load_model_metric",
    "load_model_metrics",
    "model_metric_names",
]

MODEL_METRICS = Registry(
    "offside_eval.model_metrics", "metric of a model", needs={"Metric": ModelMetric, "PAPER": Paper}
)


def model_metric_names() -> list[str]:
    """All that there are, sorted."""
    return MODEL_METRICS.names()


def load_model_metric(name: str) -> ModelMetric:
    """Make the metric called `name`.

    Raises:
        PluginError: If there is no such metric, or its module lacks what a metric needs.
    """
    metric: ModelMetric = MODEL_METRICS.load(name).Metric()
    return metric


def load_model_metrics(names: Iterable[str]) -> dict[str, ModelMetric]:
    """Make several, in the order given, each once."""
    return {name: load_model_metric(name) for name in names}
