"""Write a tiny, untrained model of a real architecture, with a vocabulary made for a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import defaults_from, force_option, json_option, seed_option
from offside_unlearn.cli._common import print_run
from offside_unlearn.options import FAMILY, RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="A dataset folder or reference.")
@click.option("--family", default=FAMILY, help="The architecture.")
@seed_option
@force_option
@json_option
def command(out: Path, data: str, family: str, seed: int, force: bool, as_json: bool) -> None:
    """Write an untrained model to the folder OUT."""
    from offside_unlearn.tiny import make_tiny

    print_run(make_tiny(out, data, family=family, seed=seed, force=force), as_json=as_json)
