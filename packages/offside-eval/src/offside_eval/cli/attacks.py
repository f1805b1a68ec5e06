"""List the attacks there are."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List every attack: what it does, what the attacker needs for it, its options, where it comes from."""
    from offside_eval.attacks import ATTACKS

    found = [_described(name, ATTACKS.load(name)) for name in ATTACKS.names()]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            attack["name"],
            attack["summary"],
            attack["access"],
            " ".join(f"{name}={_short(value)}" for name, value in attack["options"].items()),
            attack["paper"]["url"],
        ]
        for attack in found
    ]
    print_cards("Attacks", ["attack", "what it does", "access", "options", "paper"], rows)


def _described(name: str, module: ModuleType) -> dict[str, Any]:
    attack = module.Attack
    return {
        "name": name,
        "summary": (module.__doc__ or "").strip().splitlines()[0],
        "access": attack.access,
        "options": dataclasses.asdict(attack()),
        "paper": {"title": module.PAPER.title, "url": module.PAPER.url},
    }


def _short(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
