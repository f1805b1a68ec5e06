"""Compare two datasets: what was added, removed and changed, field by field, and which bump that asks for."""

from __future__ import annotations

from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json

SHOWN = 20
"""Changes of a kind that are printed; `--json` has all."""


@click.command()
@click.argument("a")
@click.argument("b")
@json_option
def command(a: str, b: str, as_json: bool) -> None:
    """Say what differs from dataset A to dataset B (folders or references).

    Pictures are compared by hash; one whose pixels stayed the same was only encoded anew.
    """
    from offside_data.dataset.folder import open_dataset
    from offside_data.release.diff import diff_datasets
    from offside_data.release.rules import described, field_level, level_of, required

    changes = diff_datasets(a, b)
    need = required(changes)
    sides = [(ref, open_dataset(ref).ref) for ref in (a, b)]
    if as_json:
        listed: list[dict[str, Any]] = [{**change.to_json(), "bump": str(level_of(change))} for change in changes]
        for change, plain in zip(changes, listed, strict=True):
            for field, row in zip(change.fields, plain["fields"], strict=True):
                row["bump"] = str(field_level(change, field))
        heads = [{"ref": ref, "name": s.name, "version": s.version, "digest": s.digest} for ref, s in sides]
        print_json({"a": heads[0], "b": heads[1], "bump": None if need is None else str(need), "changes": listed})
        return
    for ref, side in sides:
        click.echo(f"{ref}: {side.name} {side.version}, {side.digest}")
    groups: dict[tuple[str, str], list[Any]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.action), []).append(change)
    for (kind, action), members in groups.items():
        click.echo(f"{kind} {action}: {sum(change.count for change in members):,}")
        for change in members[:SHOWN]:
            where = f" ({change.where})" if change.where else ""
            click.echo(f"  {change.name}{where}")
            for field in change.fields:
                form = ", the same in another form" if field.alike else ""
                words = f"{described(field.before)} -> {described(field.after)}"
                click.echo(f"    {field.field}: {words} [{field_level(change, field)}{form}]")
        if len(members) > SHOWN:
            click.echo(f"  and {len(members) - SHOWN:,} more; --json lists all")
    if groups:
        rows = [
            [kind, action, f"{len(members):,}", str(required(members))] for (kind, action), members in groups.items()
        ]
        print_cards("", ["what", "", "number", "needs"], rows)
    click.echo("no difference" if need is None else f"{len(changes):,} changes: a {need} version at least")
