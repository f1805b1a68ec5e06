"""Compute metrics of whole models from results that are there, with controls that came later."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import json_option, print_cards, print_json


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULTS...")
@click.option("--metrics", metavar="A,B", help="Only these. [default: all whose controls are given]")
@click.option("--vanilla", type=click.Path(path_type=Path), help="Results of the model that learnt everything.")
@click.option("--retain-only", type=click.Path(path_type=Path), help="Results of the model that never saw it.")
@click.option("--before", type=click.Path(path_type=Path), help="Results of the model that a relearned one came from.")
@json_option
def command(
    results: tuple[Path, ...],
    metrics: str | None,
    vanilla: Path | None,
    retain_only: Path | None,
    before: Path | None,
    as_json: bool,
) -> None:
    """Add metrics of a whole model to the RESULTS folders that `offside-eval run` wrote.

    No model is asked anything: they are computed from the per-sample files, and written to model_metrics.json there.
    The folder of a curve stands for all its points.
    """
    from offside_eval import model_scores
    from offside_eval.compare.models import load_all
    from offside_eval.model_metrics import model_metric_names
    from offside_eval.results import Results

    places = {"vanilla": vanilla, "retain_only": retain_only, "before": before}
    controls = {role: Results.load(place) for role, place in places.items() if place is not None}
    names = [name.strip() for name in metrics.split(",")] if metrics else model_metric_names()
    if not metrics:
        without = {name for listed in model_scores.lacking(names, controls).values() for name in listed}
        names = [name for name in names if name not in without]
    documents, rows = [], []
    for own in load_all(results):
        found = model_scores.measure(own, names, controls)
        model_scores.save(own, found, controls)
        documents.append({"results": str(own.path), "metrics": {n: dataclasses.asdict(m) for n, m in found.items()}})
        rows += [[str(own.path), name, *model_scores.number_cells(m)] for name, m in found.items()]
    if as_json:
        print_json(documents)
        return
    print_cards("Metrics of models", ["results", "metric", "value", "records", "subjects", "said"], rows)
