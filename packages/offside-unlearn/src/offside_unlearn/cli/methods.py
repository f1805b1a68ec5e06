"""List the unlearning methods that are installed."""

from __future__ import annotations

from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json


@click.command
@json_option
def command(as_json: bool) -> None:
    """List the unlearning methods that are installed, third parties' included."""
    import dataclasses

    from offside_unlearn.unlearning import METHODS

    rows: list[dict[str, Any]] = []
    for name in METHODS.names():
        module = METHODS.load(name)
        rows.append(
            {
                "name": name,
                "summary": (module.__doc__ or "").strip().split("\n", 1)[0],
                "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
                "options": dataclasses.asdict(module.Config()),
            }
        )
    if as_json:
        print_json(rows)
        return
    cells = [
        [
            row["name"],
            row["summary"],
            " ".join(f"{k}={v}" for k, v in row["options"].items()),
            row["paper"]["url"],
        ]
        for row in rows
    ]
    print_cards("Unlearning methods", ["method", "what it does", "options", "paper"], cells)
