"""Run a whole grid of methods, settings, seeds and doses, and compare them."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path

import click

WORKERS = 2


@click.command
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(min=1), default=WORKERS, help="Commands at a time.")
@click.option("--dry-run", is_flag=True, help="Print the commands and run none.")
def command(plan: Path, out: Path, workers: int, dry_run: bool) -> None:
    """Run everything that the YAML file PLAN asks for in the folder OUT: models, runs, results and a report.

    Started again after an interruption, or with a plan that was added to, it goes on: what is finished stays.
    """
    from offside_data.dataset.folder import open_dataset
    from offside_unlearn.stages import StageRunner, check_command
    from offside_unlearn.study import Study, read_plan
    from offside_unlearn.study_options import check_options
    from offside_unlearn.unlearning import METHODS

    asked = read_plan(plan, METHODS.names())
    check_options(asked)
    where = plan.resolve().parent
    data = where / asked.data
    dataset = open_dataset(data if data.exists() else asked.data)
    stages = Study(asked, where, out, dataset.settings()).stages()
    for stage in stages:
        check_command(stage.command)
    if dry_run:
        for stage in stages:
            click.echo(shlex.join(stage.command))
        return
    runner = StageRunner(out, stages, workers=workers, say=partial(click.echo, err=True))
    runner.run()
    click.echo(runner.output("compare"))
    click.echo(f"{out / 'report' / 'report.html'}")
