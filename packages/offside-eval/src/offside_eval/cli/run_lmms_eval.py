"""Run tasks of lmms-eval (MMBench and others) on a model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import defaults_from, device_options, force_option, json_option, print_cards, print_json
from offside_data.errors import UsageError
from offside_data.figures import number
from offside_eval.config import EvaluationConfig


@defaults_from(EvaluationConfig)
@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Model folder, adapter folder or Hub name.")
@click.option("--tasks", required=True, metavar="A,B", help="Tasks, groups or tags, e.g. mmbench_en_dev_static.")
@click.option("--include", multiple=True, metavar="DIR", help="Folder with further tasks (export-lmms-eval).")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many questions a task.")
@click.option("--download", is_flag=True, help="Let lmms-eval fetch data that aren't on this machine.")
@click.option("--batch-size", type=int, help="Questions at once; the answers don't depend on it.")
@device_options
@force_option
@json_option
def command(
    out: Path,
    model: str,
    tasks: str,
    include: tuple[str, ...],
    limit: int | None,
    download: bool,
    force: bool,
    as_json: bool,
    **options: object,
) -> None:
    """Ask MODEL the questions of lmms-eval's tasks and write numbers and answers into OUT.

    Adapters are put on their base, and what a run does while its model answers is done. lmms-eval must be installed
    and the tasks' data must be here: nothing is downloaded without --download.
    """
    from offside_data.config import build
    from offside_eval.lmms.running import run_tasks, tell

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names:
        raise UsageError("--tasks names no task; give names with commas between them.")
    config = build(EvaluationConfig, options)
    scores = run_tasks(model, names, out, include=include, limit=limit, download=download, force=force, config=config)
    if as_json:
        print_json({"out": str(out), "scores": [dataclasses.asdict(score) for score in scores]})
        return
    rows = [[s.task, s.metric, number(s.value), number(s.stderr), str(s.n)] for s in scores]
    print_cards(f"{model}: lmms-eval", ["task", "metric", "value", "± (standard error)", "questions"], rows)
    tell(scores)
    click.echo(f"written to {out}")
