"""Merge an adapter run into a plain model folder."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import defaults_from, force_option, json_option
from offside_unlearn.cli._common import print_run
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]))
@force_option
@json_option
def command(run: Path, out: Path, dtype: str, force: bool, as_json: bool) -> None:
    """Merge the adapter of RUN into its base model and write it to the folder OUT."""
    from offside_unlearn.merging import merge

    print_run(merge(run, out, dtype=dtype, force=force), as_json=as_json)
