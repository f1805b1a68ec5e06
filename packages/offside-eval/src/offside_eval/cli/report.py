"""Write a report folder: a self-contained page, plots, tables and a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import force_option, json_option, print_json, seed_option
from offside_eval.cli._options import comparison_of, comparison_options


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@comparison_options
@click.option("--dataset", metavar="REF", help="Where the pictures of single cases come from.")
@click.option(
    "--cases",
    type=click.IntRange(min=0),
    default=240,
    show_default=True,
    help="How many single cases the page can show.",
)
@seed_option
@force_option
@json_option
def command(out: Path, dataset: str | None, cases: int, seed: int, force: bool, as_json: bool, **options: Any) -> None:
    """Write a report on the RESULTS folders that `offside-eval run` wrote into the folder OUT.

    OUT/report.html opens from disk and fetches nothing.
    """
    from offside_data.outputs import ensure_free
    from offside_eval.report import write_report

    ensure_free(out, force=force)
    page = write_report(out, comparison_of(**options), dataset, seed=seed, cases=cases, force=force)
    if as_json:
        print_json({"report": str(page), "summary": str(page.with_name("summary.md"))})
    else:
        click.echo(str(page))
