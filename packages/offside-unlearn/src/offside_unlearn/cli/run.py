"""Unlearn a request with one method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from
from offside_unlearn.cli._common import hyper_parameters, print_run, run_options, training_options
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("method")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option("--only", multiple=True, metavar="KIND=VALUE", help="subject=ID, attribute=NAME or file=PATH.")
@training_options
def command(method: str, out: Path, setting: str, only: tuple[str, ...], **values: Any) -> None:
    """Unlearn with METHOD, one of `offside-unlearn methods`, and write the model to the folder OUT."""
    from offside_unlearn.unlearning import unlearn

    options = run_options(values, only=only)
    run = unlearn(method, values["model"], None, values["data"], setting, hyper_parameters(values), out, options)
    print_run(run, as_json=values["as_json"])
