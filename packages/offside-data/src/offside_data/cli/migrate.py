"""Bring a dataset of an older schema version up to the current one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import json_option, print_json, wait_option


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@wait_option
@json_option
def command(dataset: Path, as_json: bool) -> None:
    """Bring DATASET, a folder, up to the schema version that this offside-data reads and writes."""
    from offside_data.release.migration import migrate

    report = migrate(dataset)
    if as_json:
        print_json(dataclasses.asdict(report))
    elif report.steps:
        steps = ", ".join(report.steps)
        click.echo(f"{dataset}: schema version {report.before} -> {report.after} ({steps}). Release it as a major one.")
    else:
        click.echo(f"{dataset}: up to date, schema version {report.after}.")
