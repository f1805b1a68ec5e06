"""Show what a dataset is: version, digest, splits, settings, taxonomy, sample questions."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from offside_data.commandline import json_option, print_card, print_cards, print_json


@click.command()
@click.argument("ref")
@click.option("--samples", type=click.IntRange(min=0), default=3, help="Questions to show of each split.")
@json_option
def command(ref: str, samples: int, as_json: bool) -> None:
    """Show the dataset that REF stands for, as its card tells it, and a few of its questions."""
    from offside_data.dataset.folder import open_dataset

    dataset = open_dataset(ref)
    card, taxonomy = dataset.card, dataset.taxonomy
    stated = dataclasses.asdict(card.block)
    shown: dict[str, Any] = {
        "name": dataset.name,
        "version": dataset.version,
        "digest": dataset.digest,
        "path": str(dataset.path),
        "parent": stated["parent"],
        "license": card.data.get("license"),
        "settings": dataset.settings(),
        "taxonomy": {
            "name": taxonomy.name,
            "shared": taxonomy.names("shared"),
            "private": taxonomy.names("private"),
        },
        "splits": stated["splits"],
        "samples": _samples(dataset, samples) if samples else [],
    }
    if as_json:
        print_json(shown)
        return
    head = [(key, str(shown[key])) for key in ("version", "digest", "license")]
    head.append(("settings", ", ".join(shown["settings"]) or "none"))
    head += [(scope, ", ".join(shown["taxonomy"][scope])) for scope in ("shared", "private")]
    print_card(str(shown["name"]), head)
    keys = ["records", "subjects", "images"]
    rows = [[part, *(f"{getattr(facts, key):,}" for key in keys)] for part, facts in card.block.splits.items()]
    click.echo()
    print_cards("Splits", ["split", *keys], rows)
    columns = ["split", "attribute", "veracity", "question", "answer"]
    if shown["samples"]:
        click.echo()
        print_cards("Questions", columns, [[str(s[c] or "") for c in columns] for s in shown["samples"]])


def _samples(dataset: Any, number: int) -> list[dict[str, Any]]:
    """Records from all over each split, not all about the same attribute."""
    found = []
    columns = ["record_id", "subject_id", "image_id", "attribute", "scope", "veracity", "question", "answer"]
    for part in dataset.record_parts():
        rows = dataset.rows(part).select_columns(columns)
        places = [(i * len(rows) // number + i) % len(rows) for i in range(min(number, len(rows)))]
        found += [{"split": part, **row} for row in rows.select(places)]
    return found
