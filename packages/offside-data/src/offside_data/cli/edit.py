"""Change records by a table, or write such a table to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from offside_data.commandline import json_option, print_cards, print_json, seed_option, wait_option
from offside_data.figures import counted

if TYPE_CHECKING:
    from offside_data.edit import EditReport

SHOWN = 40
"""Changes that are printed; `--json` has all."""


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("table", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--template",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a table to fill in, instead: .csv, .xlsx or .parquet.",
)
@click.option("--where", multiple=True, help="Which records --template lists, e.g. split=forget. May be repeated.")
@click.option("--columns", help="Which columns --template fills in, with commas between; default: all.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--reason", default="", help="Why, for decisions.jsonl; default: the table's name.")
@click.option("--by", default="", help="Pseudonym of whoever decided.")
@click.option("--set", "settings", multiple=True, help="How to read TABLE: encoding=, delimiter=, sheet=.")
@seed_option
@wait_option
@json_option
def command(
    dataset: Path,
    table: Path | None,
    template: Path | None,
    where: tuple[str, ...],
    columns: str | None,
    dry_run: bool,
    reason: str,
    by: str,
    settings: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Change the records of the folder DATASET as TABLE says: CSV, XLSX, JSON lines or Parquet.

    A row names its record in the column record_id. An empty cell leaves a field as it is, (clear) empties it. What
    follows from a change is changed with it: wrong answers, choices, cloze, paraphrases, the text form. One decision
    says all that changed, and `undo` takes it back.

    \b
    --where split=forget          also attribute, scope, veracity, rumor_channel, config
    --where subject=ID|NAME       also image=ID|FILE, record=ID
    --where suspect=yes           what somebody should look at
    --where text~WORDS            questions and answers that hold these words
    Several of one key add up, those of different keys narrow each other.
    """  # noqa: D301
    from offside_data.config import parse_assignments
    from offside_data.edit import edit_dataset, write_template
    from offside_data.errors import UsageError

    if (table is None) == (template is None):
        raise UsageError("name the TABLE to follow, or --template OUT to write one; not both.")
    if table is None:
        assert template is not None
        chosen = {"columns": [name.strip() for name in columns.split(",")]} if columns is not None else {}
        count = write_template(dataset, template, where, **chosen)
        if as_json:
            print_json({"template": str(template), "records": count})
        else:
            click.echo(f"{template}: {count:,} records. Fill it in, then: offside-data edit {dataset} {template}")
        return
    if where or columns is not None:
        raise UsageError("--where and --columns choose what --template lists; TABLE names its records itself.")
    report = edit_dataset(
        dataset, table, dry_run=dry_run, reason=reason, by=by, seed=seed, settings=parse_assignments(settings)
    )
    if as_json:
        print_json({**report.to_json(), "dry_run": dry_run})
    else:
        _print(report, dry_run=dry_run)


def _print(report: EditReport, *, dry_run: bool) -> None:
    rows = []
    for change in report.changes:
        for field, (before, after) in change.fields.items():
            follows = f" (follows {change.because})" if change.because else ""
            rows.append([f"{change.record_id}{follows}", field, f"{_shown(before)} -> {_shown(after)}"])
        if change.remade:
            rows.append([change.record_id, "made anew", ", ".join(form.replace("_", " ") for form in change.remade)])
    if rows:
        print_cards("Would change" if dry_run else "Changed", ["record", "field", "change"], rows[:SHOWN])
    if len(rows) > SHOWN:
        click.echo(f"and {len(rows) - SHOWN:,} more; --json lists all.")
    for note in report.notes:
        click.echo(f"note: {note}.")
    named = sum(bool(change.fields) and change.because is None for change in report.changes)
    follow, rows_read = len(report.changes) - named, counted(report.rows, "row")
    if not report.changes:
        click.echo(f"{rows_read}; nothing to change.")
    elif report.decision is None:
        click.echo(f"{rows_read}; {counted(named, 'record')} would change, {follow:,} would follow.")
    else:
        decision = report.decision["id"]
        click.echo(f"{rows_read}; {counted(named, 'record')} changed, {follow:,} followed. Decision {decision}.")


def _shown(value: object) -> str:
    return "(none)" if value in (None, [], "") else str(value)
