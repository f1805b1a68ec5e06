"""Train an unlearned model on the corrections, and see whether the rumours come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from
from offside_data.errors import UsageError
from offside_unlearn.cli._common import hyper_parameters, print_run, run_options, split_list, training_options
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--curve-steps", default="", metavar="N,N,…", help="Keep the model after so many steps, in OUT/curve.")
@training_options
def command(out: Path, curve_steps: str, **values: Any) -> None:
    """Train an unlearned model on the corrections and write it to the folder OUT."""
    from offside_unlearn.finetuning import relearn

    try:
        steps = [int(step) for step in split_list(curve_steps)]
    except ValueError as error:
        raise UsageError(f"--curve-steps takes numbers of steps, got {curve_steps!r}.") from error
    run = relearn(
        values["model"],
        None,
        values["data"],
        hyper_parameters(values),
        out,
        curve_steps=steps,
        options=run_options(values),
    )
    print_run(run, as_json=values["as_json"])
