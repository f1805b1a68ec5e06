"""Make a dataset's text form, paraphrases, wrong answers, multiple choice and cloze."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from offside_data.commandline import json_option, print_cards, print_json, seed_option, wait_option
from offside_data.figures import counted


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--only",
    type=click.Choice(["missing", "all"]),
    default="missing",
    help="Fill in what is empty, or make everything anew where it can be made.",
)
@seed_option
@wait_option
@json_option
def command(dataset: Path, only: Literal["missing", "all"], seed: int, as_json: bool) -> None:
    """Make the further forms of the records of the folder DATASET from its taxonomy.

    A record's own question and answer are never reworded. Wrong answers are values of other subjects, or numbers
    near the true one, and true of the subject nowhere. The same seed makes the same again.
    """
    from offside_data.questions.dataset import make_questions

    report = make_questions(dataset, seed=seed, only=only)
    if as_json:
        print_json(report.to_json())
        return
    rows = [[form.replace("_", " "), f"{n:,}", f"{report.made.get(form, 0):,}"] for form, n in report.there.items()]
    print_cards("Forms", ["form", "records that have it", "made now"], rows)
    if report.lacking:
        lacking = [[form.replace("_", " "), why, f"{n:,}"] for (form, why), n in sorted(report.lacking.items())]
        print_cards("Not made", ["form", "why", "records"], lacking)
    click.echo(f"{counted(report.records, 'record')} about subjects; {report.text_records:,} text records added.")
