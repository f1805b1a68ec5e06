"""Give records their splits by a policy: as published, a share of the subjects, or a table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from offside_data.commandline import json_option, print_cards, print_json, seed_option, wait_option
from offside_data.figures import counted


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--policy", default="ratio", help="modulo, ratio or file; a wrong name lists all that are known.")
@click.option("--set", "settings", multiple=True, help="An option of the policy, key=value. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Only say what would move.")
@seed_option
@wait_option
@json_option
def command(dataset: Path, policy: str, settings: tuple[str, ...], dry_run: bool, seed: int, as_json: bool) -> None:
    """Give the records of DATASET their splits.

    \b
    --policy ratio  --set share=0.10      a share of the subjects, by hash: adding subjects moves nobody
    --policy modulo                       picture numbers modulo 5: 1-3 retain, 4 forget, 0 relearn
    --policy file   --set path=TABLE      a CSV or JSON lines file: record_id, image_id or subject_id, and split

    Subjects of the cohort holdout and general pictures stay where they are. Splits are part of what a release
    promises: moving a record that was released needs a new major version.
    """  # noqa: D301
    from offside_data.config import parse_assignments
    from offside_data.progress import log
    from offside_data.split import split_dataset

    report = split_dataset(dataset, policy, settings=parse_assignments(settings), seed=seed, dry_run=dry_run)
    if as_json:
        print_json({**dataclasses.asdict(report), "dry_run": dry_run})
        return
    print_cards(report.policy, ["config/split", "records"], [[k, f"{n:,}"] for k, n in report.splits.items()])
    for move, count in report.moved.items():
        click.echo(f"{move}: {counted(count, 'record')}")
    if report.linked or report.unlinked:
        click.echo(f"corrections: {report.linked} linked to their rumor, {report.unlinked} unlinked")
    changed = ("would move" if dry_run else "moved") if report.moved else "nothing to move"
    moves = f"{counted(sum(report.moved.values()), 'record')} {changed}" if report.moved else changed
    click.echo(f"{moves}; {report.forgotten} of {report.subjects} subjects have something to forget.")
    if not report.forgotten:
        log("note: nothing is to be forgotten. Give a larger share, or another --seed.")
