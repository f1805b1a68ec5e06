"""Teach a model the records of some splits: base, vanilla and retain-only models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from
from offside_data.schema import CONFIGS
from offside_unlearn.cli._common import (
    hyper_parameters,
    print_run,
    run_options,
    split_list,
    training_options,
    with_preset,
)
from offside_unlearn.options import LEARNT, RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--splits", default=",".join(LEARNT), help="What to learn.")
@click.option("--configs", default=",".join(CONFIGS), help="In which forms.")
@click.option("--role", default=None, help="base, vanilla or retain_only; default: by what was learnt.")
@training_options
def command(out: Path, splits: str, configs: str, role: str | None, **values: Any) -> None:
    """Teach a model the records of some splits and write it to the folder OUT."""
    from offside_unlearn.finetuning import finetune

    values = with_preset(values, "finetune")
    run = finetune(
        values["model"],
        None,
        values["data"],
        hyper_parameters(values),
        out,
        splits=split_list(splits),
        configs=split_list(configs),
        role=role,
        options=run_options(values),
    )
    print_run(run, as_json=values["as_json"])
