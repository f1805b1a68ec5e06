"""Take a decision of decisions.jsonl back: what it took out of the dataset returns."""

from __future__ import annotations

import click

from offside_data.commandline import json_option, print_json, wait_option


@click.command()
@click.argument("dataset")
@click.argument("decision")
@wait_option
@json_option
def command(dataset: str, decision: str, as_json: bool) -> None:
    """Take DECISION, the id of a line of decisions.jsonl, back in DATASET.

    Rows that it took out return as they were, fields that it changed are as before. A decision that later ones build
    on is refused, with the list of those. The undo is a decision itself and can be taken back, too.
    """
    from offside_data.dataset.undo import undo

    done = undo(dataset, decision)
    if as_json:
        print_json(
            {"decision": done.decision, "returned": done.returned, "changed": done.changed, "removed": done.removed}
        )
        return
    click.echo(
        f"{decision} taken back: {done.returned} rows returned, {done.changed} changed back, {done.removed} removed. "
        f"This is decision {done.decision['id']}."
    )
