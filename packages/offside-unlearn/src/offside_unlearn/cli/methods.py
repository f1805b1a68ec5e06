"""List the unlearning methods that are installed, and what strengthens them."""

from __future__ import annotations

from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json

TITLES = {"method": "Unlearning methods", "wrapper": "Wrappers, asked for as METHOD+WRAPPER"}


@click.command
@json_option
def command(as_json: bool) -> None:
    """List the unlearning methods that are installed, and what strengthens them, third parties' included."""
    import dataclasses

    from offside_unlearn.unlearning import METHODS, WRAPPERS

    rows: list[dict[str, Any]] = []
    for registry in (METHODS, WRAPPERS):
        for name in registry.names():
            module = registry.load(name)
            rows.append(
                {
                    "name": name,
                    "kind": registry.kind,
                    "summary": (module.__doc__ or "").strip().split("\n", 1)[0],
                    "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
                    "options": dataclasses.asdict(module.Config()),
                }
            )
    if as_json:
        print_json(rows)
        return
    for number, (kind, title) in enumerate(TITLES.items()):
        cells = [
            [
                row["name"],
                row["summary"],
                " ".join(f"{k}={v}" for k, v in row["options"].items()),
                row["paper"]["url"],
            ]
            for row in rows
            if row["kind"] == kind
        ]
        if number:
            click.echo()
        print_cards(title, [kind, "what it does", "options", "paper"], cells)
