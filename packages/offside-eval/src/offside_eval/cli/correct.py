"""Correct one score by hand, keeping who, why and what was measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import json_option, print_json, wait_option
from offside_data.errors import UsageError


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("record")
@click.option("--metric", required=True, help="Of which metric, e.g. value_match.")
@click.option("--value", type=float, help="The right score.")
@click.option("--unscored", is_flag=True, help="The record can't be scored.")
@click.option("--undo", is_flag=True, help="Put back what was measured.")
@click.option("--kind", help="What kind of answer it is, e.g. correct.")
@click.option("--variant", default="plain", help="How the picture was shown: plain, blank or swapped.")
@click.option("--by", required=True, metavar="WHO", help="Who says so; a pseudonym will do.")
@click.option("--reason", required=True, metavar="WHY", help="Why.")
@wait_option
@json_option
def command(
    results: Path,
    record: str,
    metric: str,
    value: float | None,
    unscored: bool,
    undo: bool,
    kind: str | None,
    variant: str,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Correct the score of RECORD in RESULTS: --value, --unscored or --undo.

    RESULTS/corrections.jsonl takes it down; what was measured stays, and a correction is taken back by another.
    Whoever reads the folder (compare, report, export, Python) gets the corrected scores and aggregates, and is told.
    """
    from offside_eval.correcting import correct

    if (value is not None) + unscored + undo != 1:
        raise UsageError("give one of --value, --unscored and --undo.")
    if kind is not None and value is None:
        raise UsageError("--kind goes with --value.")
    made = correct(results, record, metric, value, by=by, reason=reason, variant=variant, kind=kind, undo=undo)
    if as_json:
        print_json(dataclasses.asdict(made))
        return
    before, after = ("unscored" if v is None else f"{v:g}" for v in (made.before, made.value))
    click.echo(f"{metric} of {record} ({variant}): {before} -> {after}, by {made.by}: {made.reason}")
