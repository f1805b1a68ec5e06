"""Compare two datasets: what was added, removed and changed, field by field, and which bump that asks for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import click

from offside_data.commandline import json_option, print_cards, print_json_with
from offside_data.figures import counted

if TYPE_CHECKING:
    from offside_data.release.diff import Change

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
    from offside_data.release.diff import compare
    from offside_data.release.rules import described, field_level, required

    datasets = [open_dataset(ref) for ref in (a, b)]
    changes = compare(*datasets)
    need = required(changes.sorts)
    sides = [(ref, dataset.ref) for ref, dataset in zip((a, b), datasets, strict=True)]
    if as_json:
        heads = [{"ref": ref, "name": s.name, "version": s.version, "digest": s.digest} for ref, s in sides]
        told = {"a": heads[0], "b": heads[1], "bump": None if need is None else str(need)}
        print_json_with(told, "changes", map(_plain, changes))
        return
    for ref, side in sides:
        click.echo(f"{ref}: {side.name} {side.version}, {side.digest}")
    groups: dict[tuple[str, str], list[Change]] = {}
    for sort in changes.sorts:
        groups.setdefault((sort.kind, sort.action), []).append(sort)
    numbers = {group: sum(sort.count for sort in sorts) for group, sorts in groups.items()}
    for kind, action in groups:
        click.echo(f"{kind} {action}: {numbers[kind, action]:,}")
        members = (change for change in changes if (change.kind, change.action) == (kind, action))
        for change in itertools.islice(members, SHOWN):
            where = f" ({change.where})" if change.where else ""
            click.echo(f"  {change.name}{where}")
            for field in change.fields:
                form = ", the same in another form" if field.alike else ""
                words = f"{described(field.before)} -> {described(field.after)}"
                click.echo(f"    {field.field}: {words} [{field_level(change, field)}{form}]")
        if numbers[kind, action] > SHOWN:
            click.echo(f"  and {numbers[kind, action] - SHOWN:,} more; --json lists all")
    if groups:
        rows = [
            [kind, action, f"{numbers[kind, action]:,}", str(required(sorts))]
            for (kind, action), sorts in groups.items()
        ]
        print_cards("", ["what", "", "number", "needs"], rows)
    click.echo("no difference" if need is None else f"{counted(len(changes), 'change')}: a {need} version at least")


def _plain(change: Change) -> dict[str, Any]:
    """A change as plain values, with the bump that it and each of its fields asks for."""
    from offside_data.release.rules import field_level, level_of

    plain = {**change.to_json(), "bump": str(level_of(change))}
    for field, row in zip(change.fields, plain["fields"], strict=True):
        row["bump"] = str(field_level(change, field))
    return plain
