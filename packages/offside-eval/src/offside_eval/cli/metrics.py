"""List the metrics there are."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List every metric: what it needs, which way is good, where it comes from."""
    from offside_eval.metrics import METRICS

    modules = {name: METRICS.load(name) for name in METRICS.names()}
    summaries = {name: (module.__doc__ or "").strip().splitlines()[0] for name, module in modules.items()}
    if as_json:
        print_json([_described(name, module, summaries[name]) for name, module in modules.items()])
        return
    rows = [
        [
            name,
            summaries[name],
            ", ".join(sorted(module.Metric.needs)),
            *("higher" if module.Metric.higher_is_better[role] else "lower" for role in ("forget", "keep")),
            ", ".join(module.Metric.variants),
        ]
        for name, module in modules.items()
    ]
    print_cards("Metrics", ["metric", "what it is", "needs", "good on forget", "good on keep", "variants"], rows)


def _described(name: str, module: ModuleType, summary: str) -> dict[str, Any]:
    metric = module.Metric
    return {
        "name": name,
        "summary": summary,
        "needs": sorted(metric.needs),
        "bounds": list(metric.bounds),
        "higher_is_better": dict(metric.higher_is_better),
        "variants": list(metric.variants),
        "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
    }
