"""Train an unlearned model on the corrections, and see whether the rumours come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from, point_option
from offside_unlearn.cli._common import (
    curve_option,
    hyper_parameters,
    numbers,
    print_run,
    run_options,
    training_options,
)
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("out", type=click.Path(path_type=Path))
@curve_option
@point_option
@training_options
def command(out: Path, curve_steps: str, point: str | None, **values: Any) -> None:
    """Train an unlearned model on the corrections and write it to the folder OUT."""
    from offside_data.run_curve import find_point
    from offside_unlearn.finetuning import relearn

    run = relearn(
        values["model"] if point is None else find_point(values["model"], point),
        None,
        values["data"],
        hyper_parameters(values),
        out,
        curve_steps=numbers(curve_steps, "--curve-steps", "numbers of steps"),
        options=run_options(values),
    )
    print_run(run, as_json=values["as_json"])
