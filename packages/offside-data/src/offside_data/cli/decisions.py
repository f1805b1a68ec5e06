"""List the curation decisions of a dataset: what was decided, why, by whom, and whether it still holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json
from offside_data.figures import counted

SHOWN = 50
"""Decisions that are printed unless all are asked for."""
_NAMED = 3
"""Of a list in a decision, how many items are printed."""


@click.command()
@click.argument("dataset")
@click.option("--kind", help="Only decisions of this kind, e.g. duplicate, not-duplicate or waiver.")
@click.option("--all", "everything", is_flag=True, help=f"All of them; without, the latest {SHOWN}.")
@json_option
def command(dataset: str, kind: str | None, everything: bool, as_json: bool) -> None:
    """List the decisions in decisions.jsonl of DATASET, oldest first.

    Each has an id, which `offside-data undo DATASET DECISION` takes where the decision can be taken back.
    """
    from offside_data.dataset.decisions import holding, read_decisions
    from offside_data.dataset.folder import open_dataset
    from offside_data.dataset.picture_names import PictureNames
    from offside_data.plugins import require_known

    opened = open_dataset(dataset)
    decisions = read_decisions(opened.path)
    kinds = sorted({decision["kind"] for decision in decisions})
    require_known("kind of decision", [kind] if kind is not None else [], kinds, where=dataset)
    chosen = [decision for decision in decisions if kind in (None, decision["kind"])]
    held = {decision["id"] for decision in holding(decisions)}
    if as_json:
        print_json([{**decision, "holds": decision["id"] in held} for decision in chosen])
        return
    shown = chosen if everything else chosen[-SHOWN:]
    names = PictureNames(opened)
    rows = [
        [
            decision["id"],
            str(decision["when"])[:19],
            decision["kind"] + ("" if decision["id"] in held else ", taken back"),
            _in_words(decision["what"], names),
            str(decision["why"]),
            str(decision["who"]),
        ]
        for decision in shown
    ]
    if rows:
        print_cards("", ["decision", "when", "kind", "what", "why", "who"], rows)
    click.echo(
        counted(len(chosen), "decision") + (f", the latest {len(shown)} shown" if len(shown) < len(chosen) else "")
    )


def _in_words(what: Any, names: Any) -> str:
    """What a decision is about, pictures by their files."""
    if not isinstance(what, Mapping):
        return _item(what, names)
    return "; ".join(f"{key}: {_item(value, names)}" for key, value in what.items() if value not in (None, "", [], {}))


def _item(value: Any, names: Any) -> str:
    if isinstance(value, str):
        return str(names.name(value)) if value in names else value
    if isinstance(value, Mapping):
        value = [f"{_item(key, names)} = {_item(of, names)}" for key, of in value.items()]
    if isinstance(value, list):
        more = f" and {len(value) - _NAMED:,} more" if len(value) > _NAMED else ""
        return ", ".join(_item(item, names) for item in value[:_NAMED]) + more
    return str(value)
