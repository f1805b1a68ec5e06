"""Find pictures that show the same and merge what is said about them: with --apply, or as a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json, wait_option
from offside_data.dedup.dataset import DedupConfig, DedupReport, dedup, merge_cluster
from offside_data.dedup.merge import Merge
from offside_data.errors import UsageError
from offside_data.progress import log

SHOWN_CLUSTERS = 50
"""Clusters in the printed table, and as many look-alikes; the contact sheet and `--json` hold more."""


@click.command()
@click.argument("dataset")
@click.option("--hash", "hash_", default=DedupConfig.hash, help="Perceptual hash; a wrong name lists all.")
@click.option("--radius", type=int, help="Bits that hashes may differ in; default: the hash's own.")
@click.option("--turned", is_flag=True, help="Find quarter-turned and mirrored copies, too; decodes every picture.")
@click.option("--against", default=None, help="Compare with the pictures of this other dataset or version only.")
@click.option("--engine", default=DedupConfig.engine, help="What does the work.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Where the contact sheet goes.")
@click.option("--apply", is_flag=True, help="Carry it out; without, nothing is changed.")
@click.option("--merge", metavar="CLUSTER", help="Merge this cluster: you looked, it is one picture.")
@click.option("--keep", metavar="PICTURE", help="With --merge: the picture to keep, by file name or id.")
@click.option(
    "--not-duplicates",
    "apart",
    nargs=2,
    multiple=True,
    metavar="A B",
    help="Declare two pictures, by file name or id, to be different once for all; may be repeated.",
)
@click.option("--reason", default="", help="With --merge or --not-duplicates: why, for decisions.jsonl.")
@wait_option
@json_option
def command(dataset: str, hash_: str, radius: int | None, turned: bool, as_json: bool, **options: Any) -> None:
    """Find pictures of DATASET that show the same: equal pixels, or near hashes and a second look.

    Prints each cluster and writes a contact sheet, an HTML page that shows them side by side. Without --apply nothing
    is changed. With it, each cluster becomes a decision in decisions.jsonl: one picture is kept, records that say the
    same go, others move to the kept picture. Left alone are clusters that contradict themselves, mix subjects or
    splits, or show a rumour, and look-alikes, which differ in some place only: one template with another text. Settle
    these with --merge or --not-duplicates. `offside-data undo DATASET DECISION` takes a decision back.
    """
    _require_one_deed(options)
    config = DedupConfig(hash=hash_, radius=radius, turned=turned, engine=options["engine"])
    if options["apart"]:
        from offside_data.dedup.declared import declare_apart

        said = [f"{first} and {second} are different" for first, second in options["apart"]]
        _print_decisions(declare_apart(dataset, options["apart"], options["reason"]), said, as_json)
    elif options["merge"]:
        keep, reason = options["keep"], options["reason"]
        decision = merge_cluster(dataset, options["merge"], keep=keep, reason=reason, config=config)
        _print_decisions([decision], [decision["why"]], as_json)
    else:
        chosen = {name: options[name] for name in ("against", "apply", "sheet")}
        _print_report(dedup(dataset, **chosen, config=config), config, options["apply"], as_json)


def _require_one_deed(options: dict[str, Any]) -> None:
    """Make sure that it is clear what is to be done.

    Raises:
        UsageError: If it isn't.
    """
    deeds = {"--apply": "apply", "--merge": "merge", "--not-duplicates": "apart"}
    given = [option for option, name in deeds.items() if options[name]]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are different things to do; give one of them.")
    if options["keep"] and not options["merge"]:
        raise UsageError("--keep says which picture of a cluster is kept; give the cluster with --merge.")
    if options["against"] and (options["merge"] or options["apart"]):
        raise UsageError(f"{given[0]} is about the pictures of one dataset; leave --against out.")
    if options["reason"] and not (options["merge"] or options["apart"]):
        raise UsageError("--reason goes with --merge or --not-duplicates.")


def _print_decisions(decisions: Sequence[dict[str, Any]], said: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({"decisions": list(decisions)})
        return
    for decision, text in zip(decisions, said, strict=True):
        click.echo(f"decision {decision['id']}: {text}")


def _print_report(report: DedupReport, config: DedupConfig, applied: bool, as_json: bool) -> None:
    for problem in report.found.unreadable:
        log(f"not looked at: {problem}")
    if as_json:
        print_json(_to_json(report))
        return
    _print_clusters("Pictures that show the same", report.merges)
    _print_clusters("Look-alikes: the same but for some place, most likely the text they show", report.look_alikes)
    left = sum(bool(merge.reasons) for merge in report.merges)
    click.echo(
        f"{report.pictures:,} pictures, {len(report.merges)} clusters, {len(report.look_alikes)} pairs of look-alikes; "
        f"{report.found.refusals} of {report.found.candidates} pairs within {report.radius} bits of {config.hash} "
        "failed the second look."
    )
    if report.sheet:
        click.echo(f"contact sheet {report.sheet}")
    files = {picture.key: picture.name for merge in report.merges for picture in merge.cluster.pictures}
    for decision in report.applied:
        what = decision["what"]
        dropped = ", ".join(files[key] for key in what["dropped"])
        click.echo(f"decision {decision['id']}: kept {files[what['kept']]}, dropped {dropped}")
    if left:
        click.echo(f"{left} clusters are left for you to look at.")
    if report.look_alikes:
        click.echo("Of look-alikes, you tell: --merge CLUSTER if they are one picture, else --not-duplicates A B.")
    if len(report.merges) > left and not applied:
        click.echo(f"Nothing was changed; --apply merges {len(report.merges) - left} clusters.")


def _print_clusters(title: str, merges: Sequence[Merge]) -> None:
    from offside_data.dedup.sheet import likeness, outcome

    rows = []
    for merge in merges[:SHOWN_CLUSTERS]:
        cluster = merge.cluster
        rows.append([f"{cluster.name} keep", *_cells(cluster.keeper), outcome(merge)])
        for member in cluster.others:
            alike = "; ".join(likeness(member.distance, member.second_look).values())
            fate = "leave" if merge.reasons else "drop"
            rows.append([f"{cluster.name} {fate}", *_cells(member.picture), alike])
    if rows:
        columns = ["cluster", "picture", "size", "licence", "split", "subject", "what becomes of it"]
        print_cards(title, columns, rows)
    if len(merges) > SHOWN_CLUSTERS:
        click.echo(f"and {len(merges) - SHOWN_CLUSTERS} more")


def _cells(picture: Any) -> list[str]:
    size = f"{picture.width} x {picture.height}"
    return [picture.name, size, picture.license or "", ", ".join(picture.splits), ", ".join(picture.subjects)]


def _to_json(report: DedupReport) -> dict[str, Any]:
    import dataclasses

    def plain(merge: Merge) -> dict[str, Any]:
        return {
            "cluster": merge.cluster.name,
            "keeper": dataclasses.asdict(merge.cluster.keeper),
            "others": [dataclasses.asdict(member) for member in merge.cluster.others],
            "records_gone": merge.goes,
            "records_moved": merge.moves,
            "left_because": merge.reasons,
        }

    return {
        "pictures": report.pictures,
        "radius": report.radius,
        "clusters": [plain(merge) for merge in report.merges],
        "look_alikes": [plain(merge) for merge in report.look_alikes],
        "candidates": report.found.candidates,
        "refusals": report.found.refusals,
        "unreadable": report.found.unreadable,
        "decisions": report.applied,
        "sheet": str(report.sheet) if report.sheet else None,
    }
