"""List the metrics there are."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json

_WAYS = {"up": "higher", "down": "lower", None: "-"}


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List every metric: what it needs, which way is good, where it comes from.

    First those of single records, then those of whole models, which need no model to be asked, but some of them the
    results of controls.
    """
    from offside_eval.metrics import METRICS
    from offside_eval.model_metrics import MODEL_METRICS

    of_records = {name: METRICS.load(name) for name in METRICS.names()}
    of_models = {name: MODEL_METRICS.load(name) for name in MODEL_METRICS.names()}
    if as_json:
        listed = [_of_records(name, module) for name, module in of_records.items()]
        print_json(listed + [_of_models(name, module) for name, module in of_models.items()])
        return
    rows = [
        [
            name,
            _summary(module),
            ", ".join(_needs(module)),
            *("higher" if module.Metric.higher_is_better[role] else "lower" for role in ("forget", "keep")),
            ", ".join(module.Metric.variants),
        ]
        for name, module in of_records.items()
    ]
    print_cards("Metrics", ["metric", "what it is", "needs", "good on forget", "good on keep", "variants"], rows)
    click.echo()
    rows = [
        [
            name,
            _summary(module),
            ", ".join(module.Metric.metrics),
            ", ".join(role.replace("_", "-") for role in module.Metric.controls),
            _WAYS[module.Metric.better],
        ]
        for name, module in of_models.items()
    ]
    print_cards("Metrics of models", ["metric", "what it is", "reads", "needs results of", "good"], rows)


def _summary(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().splitlines()[0]


def _needs(module: ModuleType) -> list[str]:
    """What a metric or one of its variants asks of a model."""
    return sorted(module.Metric.needs.union(*module.Metric.variant_needs.values()))


def _of_records(name: str, module: ModuleType) -> dict[str, Any]:
    metric = module.Metric
    return {
        "name": name,
        "of": "records",
        "summary": _summary(module),
        "needs": _needs(module),
        "bounds": list(metric.bounds),
        "higher_is_better": dict(metric.higher_is_better),
        "variants": list(metric.variants),
        "costly": metric.costly,
        "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
    }


def _of_models(name: str, module: ModuleType) -> dict[str, Any]:
    metric = module.Metric
    return {
        "name": name,
        "of": "models",
        "summary": _summary(module),
        "needs": sorted(metric.needs),
        "reads": list(metric.metrics),
        "controls": list(metric.controls),
        "optional_controls": list(metric.optional),
        "bounds": list(metric.bounds),
        "better": metric.better,
        "costly": metric.costly,
        "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
    }
