"""Find pictures that show the same and, with --apply, merge what is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json, wait_option
from offside_data.dedup.dataset import DedupConfig, DedupReport, dedup
from offside_data.progress import log

SHOWN_CLUSTERS = 50
"""Clusters in the printed table; the contact sheet and `--json` hold more."""


@click.command()
@click.argument("dataset")
@click.option("--hash", "hash_", default=DedupConfig.hash, help="Perceptual hash; a wrong name lists all.")
@click.option("--radius", type=int, help="Bits that hashes may differ in; default: the hash's own.")
@click.option("--against", default=None, help="Compare with the pictures of this other dataset or version only.")
@click.option("--engine", default=DedupConfig.engine, help="What does the work.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Where the contact sheet goes.")
@click.option("--apply", is_flag=True, help="Carry it out; without, nothing is changed.")
@wait_option
@json_option
def command(
    dataset: str,
    hash_: str,
    radius: int | None,
    against: str | None,
    engine: str,
    sheet: Path | None,
    apply: bool,
    as_json: bool,
) -> None:
    """Find pictures of DATASET that show the same: equal pixels, or near hashes and a second look.

    Prints each cluster and writes a contact sheet, an HTML page that shows them side by side. Without --apply nothing
    is changed. With it, each cluster becomes a decision in decisions.jsonl: one picture is kept, records that say the
    same go, others move to the kept picture. Clusters that contradict themselves or mix subjects or splits are left
    alone. `offside-data undo DATASET DECISION` takes one back.
    """
    config = DedupConfig(hash=hash_, radius=radius, engine=engine)
    report = dedup(dataset, against=against, apply=apply, sheet=sheet, config=config)
    for problem in report.found.unreadable:
        log(f"not looked at: {problem}")
    if as_json:
        print_json(_to_json(report))
        return
    _print_clusters(report)
    left = sum(bool(merge.reasons) for merge in report.merges)
    click.echo(
        f"{report.pictures:,} pictures, {len(report.merges)} clusters; {report.found.refusals} of "
        f"{report.found.candidates} pairs within {report.radius} bits of {hash_} failed the second look."
    )
    if report.sheet:
        click.echo(f"contact sheet {report.sheet}")
    for decision in report.applied:
        what = decision["what"]
        click.echo(f"decision {decision['id']}: kept {what['kept']}, dropped {', '.join(what['dropped'])}")
    if left:
        click.echo(f"{left} clusters are left for you to look at.")
    if len(report.merges) > left and not apply:
        click.echo(f"Nothing was changed; --apply merges {len(report.merges) - left} clusters.")


def _print_clusters(report: DedupReport) -> None:
    from offside_data.dedup.sheet import likeness, outcome

    rows = []
    for number, merge in enumerate(report.merges[:SHOWN_CLUSTERS], 1):
        keeper = merge.cluster.keeper
        rows.append([f"{number} keep", *_cells(keeper), outcome(merge)])
        for member in merge.cluster.others:
            alike = "; ".join(likeness(member.distance, member.second_look).values())
            fate = "leave" if merge.reasons else "drop"
            rows.append([f"{number} {fate}", *_cells(member.picture), alike])
    if rows:
        columns = ["cluster", "picture", "size", "licence", "split", "subject", "what becomes of it"]
        print_cards("Pictures that show the same", columns, rows)
    if len(report.merges) > SHOWN_CLUSTERS:
        click.echo(f"and {len(report.merges) - SHOWN_CLUSTERS} more clusters")


def _cells(picture: Any) -> list[str]:
    size = f"{picture.width} x {picture.height}"
    return [picture.name, size, picture.license or "", ", ".join(picture.splits), ", ".join(picture.subjects)]


def _to_json(report: DedupReport) -> dict[str, Any]:
    import dataclasses

    clusters = [
        {
            "keeper": dataclasses.asdict(merge.cluster.keeper),
            "others": [dataclasses.asdict(member) for member in merge.cluster.others],
            "records_gone": merge.goes,
            "records_moved": merge.moves,
            "left_because": merge.reasons,
        }
        for merge in report.merges
    ]
    return {
        "pictures": report.pictures,
        "radius": report.radius,
        "clusters": clusters,
        "candidates": report.found.candidates,
        "refusals": report.found.refusals,
        "unreadable": report.found.unreadable,
        "decisions": report.applied,
        "sheet": str(report.sheet) if report.sheet else None,
    }
