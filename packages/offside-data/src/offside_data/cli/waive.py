"""Let an issue of check stay, with the reason: a decision like any other."""

from __future__ import annotations

import click

from offside_data.commandline import json_option, print_json, wait_option


@click.command()
@click.argument("dataset")
@click.argument("issues", metavar="ISSUE...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why it may stay; everybody who reads the dataset can read it.")
@wait_option
@json_option
def command(dataset: str, issues: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Waive each ISSUE that `offside-data check DATASET` finds, so that it no longer counts.

    ISSUE is CODE:PLACE as check prints them, e.g. `picture-leak:s0.png`; a picture may be named by its file, and a
    code alone will do where there is one issue of it. `offside-data undo DATASET DECISION` takes a waiver back.
    """
    from offside_data.waive import waive

    decisions = waive(dataset, issues, reason)
    if as_json:
        print_json({"decisions": decisions})
        return
    for decision in decisions:
        what = decision["what"]
        click.echo(f"decision {decision['id']}: {what['code']} at {what['where']} is waived.")
