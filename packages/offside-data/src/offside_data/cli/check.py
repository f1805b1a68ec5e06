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

    Each finding is one line: severity, code, place, message. An error makes the exit status 1. A line
    {"kind": "waiver", "code": CODE, "where": PLACE, "reason": WHY} in the dataset's decisions.jsonl
    silences one finding.
    """
    from offside_data.check import check_reference

    findings = check_reference(dataset, strict)
    counts = {severity: sum(f.severity == severity for f in findings) for severity in ("error", "warning", "info")}
    if as_json:
        print_json({"dataset": dataset, "counts": counts, "findings": [f.to_json() for f in findings]})
    else:
        for finding in findings:
            click.echo(f"{finding.severity}: {finding.code}: {finding.where}: {finding.message}")
        click.echo(f"{dataset}: " + ", ".join(f"{count} {severity}" for severity, count in counts.items()))
    if counts["error"]:
        click.get_current_context().exit(1)
