"""List presets, or show one with the sources of its values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from offside_data.commandline import json_option, print_cards, print_json

if TYPE_CHECKING:
    from offside_unlearn.preset import Sourced


@click.command
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the presets, or show NAME: every value with its source, and what differs from what was published."""
    from offside_unlearn.preset import load_preset, preset_names

    if name is None:
        presets = {one: load_preset(one) for one in preset_names()}
        if as_json:
            listed = presets.items()
            print_json([{"name": n, "title": p.title, "url": p.url, "methods": sorted(p.methods)} for n, p in listed])
            return
        rows = [[one, p.title, " ".join(sorted(p.methods)), p.url] for one, p in presets.items()]
        print_cards("Presets", ["preset", "what it repeats", "methods", "published at"], rows)
        return
    preset = load_preset(name)
    if as_json:
        print_json(dataclasses.asdict(preset))
        return
    places = {"every command": preset, "finetune": preset.finetune, "relearn": preset.relearn, "run": preset.run}
    places |= {f"run {method}": part for method, part in preset.methods.items()}
    rows = [
        [where, _written(part.arguments, "--"), _written(part.options, "")]
        for where, part in places.items()
        if part.arguments or part.options
    ]
    print_cards(f"{name}: {preset.title}", ["of", "arguments", "options"], rows)
    for sentence in preset.differs:
        click.echo(f"* {sentence}")


def _written(part: Sourced, before: str) -> str:
    """`lr=1e-05 (code), …`."""
    return ", ".join(f"{before}{key}={value} ({source})" for key, (value, source) in part.items()) or "–"
