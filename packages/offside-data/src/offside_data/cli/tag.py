"""Tag a dataset: attributes, values, veracity and tiers of sources; list what stays doubtful."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from offside_data.commandline import json_option, print_cards, print_json_with, wait_option
from offside_data.figures import counted

SHOWN_DOUBTS = 20
"""Doubts that are printed; `--table` and `--json` have all."""


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--apply/--dry-run", default=True, help="Change the dataset, or only say what would change.")
@click.option(
    "--table", type=click.Path(path_type=Path, dir_okay=False), help="Write all that is doubtful to this CSV file."
)
@click.option(
    "--tiers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tiers of sources by domain and publisher, laid out as tagging/tiers.yaml; wins over it.",
)
@wait_option
@json_option
def command(dataset: Path, apply: bool, table: Path | None, tiers: Path | None, as_json: bool) -> None:
    """Decide what can be decided about the records of the folder DATASET, and list what can't.

    A decision already made stays. Every change goes to decisions.jsonl; a second run changes nothing.
    """
    from offside_data.outputs import ensure_replaceable
    from offside_data.tag import tag_dataset
    from offside_data.tagging.table import HEADER, write_table

    if table is not None:
        ensure_replaceable(table, HEADER)  # Before anything is changed.
    report = tag_dataset(dataset, apply=apply, tiers=tiers)
    if table is not None:
        write_table(table, report.doubt_table)
    if as_json:
        print_json_with(report.to_json(), "doubts", report.doubt_table.iter_rows(named=True))
        return
    changed = Counter(topic for change in report.changes for topic in change.topics)
    if changed:
        print_cards(
            "Changed" if apply else "Would change", ["field", "records"], [[k, str(n)] for k, n in changed.items()]
        )
    doubts = len(report.doubt_table)
    if doubts:
        shown = report.doubt_table.head(SHOWN_DOUBTS).select("topic", "record_id", "attribute", "answer", "reason")
        rows = [[text or "" for text in row] for row in shown.iter_rows()]
        print_cards("Doubtful", ["about", "record", "attribute", "answer", "why"], rows)
        if doubts > SHOWN_DOUBTS:
            click.echo(f"and {doubts - SHOWN_DOUBTS} more; --table FILE lists all.")
    verb = "changed" if apply else "would change"
    click.echo(f"{counted(report.records, 'record')}: {len(report.changes)} {verb}, {doubts} things are doubtful.")
