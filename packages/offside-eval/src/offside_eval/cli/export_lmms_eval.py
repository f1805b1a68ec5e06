"""Write what a setting asks as tasks of lmms-eval."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json, seed_option


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="REF", help="Dataset: a folder, or ORG/NAME[@VERSION].")
@click.option("--setting", help="complete, selective, corrective, unimodal or visual-rumor. [default: RUN's own]")
@click.option("--only", multiple=True, help="Narrow the request: subject=ID, attribute=NAME or file=PATH.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many records a slice.")
@seed_option
@force_option
@json_option
def command(
    run: str,
    out: Path,
    data: str,
    setting: str | None,
    only: tuple[str, ...],
    limit: int | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Write what the setting of the run RUN asks into the folder OUT, as tasks that lmms-eval runs on any model.

    Nothing is loaded but the dataset. Records by which RUN was stopped or chosen are left out.
    """
    from offside_eval.lmms.export import export_tasks

    tasks = export_tasks(run, out, data=data, setting=setting, only=only, limit=limit, seed=seed, force=force)
    if as_json:
        print_json({"out": str(out), "tasks": [dataclasses.asdict(task) for task in tasks]})
        return
    rows = [[task.name, task.slice, task.form, str(task.records)] for task in tasks]
    print_cards("tasks of lmms-eval", ["task", "slice", "form", "records"], rows)
    click.echo(f"written to {out}: README.md says how to run them")
