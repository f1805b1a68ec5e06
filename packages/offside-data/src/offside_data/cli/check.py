"""Check a dataset: digests, card, records, pictures, splits; errors exit 1."""

from __future__ import annotations

import click

from offside_data.commandline import json_option, print_json


@click.command()
@click.argument("dataset")
@click.option("--strict", is_flag=True, help="Make warnings errors.")
@json_option
def command(dataset: str, strict: bool, as_json: bool) -> None:
    """Check DATASET: digests, card, records, pictures, splits.

    Each issue is one line: severity, code, place, message. An error makes the exit status 1. An issue that may stay is
    waived by `offside-data waive DATASET CODE:PLACE --reason TEXT`.
    """
    from offside_data.check import check_reference

    issues = check_reference(dataset, strict)
    counts = {level: sum(issue.severity == level for issue in issues) for level in ("error", "warning", "info")}
    if as_json:
        print_json({"dataset": dataset, "counts": counts, "findings": [issue.to_json() for issue in issues]})
    else:
        for issue in issues:
            click.echo(f"{issue.severity}: {issue.code}: {issue.where}: {issue.message}")
        click.echo(f"{dataset}: " + ", ".join(f"{count} {severity}" for severity, count in counts.items()))
    if counts["error"]:
        click.get_current_context().exit(1)
