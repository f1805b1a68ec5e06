"""Take a subject out of a dataset for good, and prove that nothing is left of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offside_data.commandline import json_option, print_json, seed_option, wait_option

if TYPE_CHECKING:
    from offside_data.takedown.removal import RemovalReport


EXIT_CODES = {"nothing left": 0, "something left": 1, "to be looked at": 3}
"""By the verdict of the proof; 2 is wrong usage."""
_SORTS = {"left": "left", "near": "that may be a name", "unread": "not read"}


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--subject", help="Id of the subject.")
@click.option("--reason", help="Why, without the name: it is published.")
@click.option("--alias", "aliases", multiple=True, help="Another name of the subject. May be repeated.")
@click.option(
    "--radius",
    type=click.IntRange(min=0),
    help="How far the hashes of pictures may differ that are compared, in bits; default: that of dedup.",
)
@click.option("--verify", is_flag=True, help="Only look whether anything is left of those removed before.")
@seed_option
@wait_option
@json_option
def command(
    dataset: Path,
    subject: str | None,
    reason: str | None,
    aliases: tuple[str, ...],
    radius: int | None,
    verify: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Remove a subject from DATASET, a folder: records, pictures and what nearly is one of them, every trace.

    What others hold of it goes, too: wrong answers are made anew, captions, decisions and the changelog redacted,
    kept releases and the working area rewritten. Then everything is searched. The exit status is 0 if nothing is left,
    1 if something is, 3 if somebody has to look: something may be a name, or couldn't be read. A proof is kept as a
    file. The next release is a minor one. A salted hash stays, so that it can't come back.
    """
    from offside_data.errors import UsageError
    from offside_data.images.hashing import require_radius
    from offside_data.takedown.removal import remove_subject, verify_removals
    from offside_data.takedown.subject_data import RADIUS

    if verify:
        report = verify_removals(dataset)
    elif subject is None or reason is None:
        raise UsageError("give --subject ID and --reason TEXT, or --verify to look at earlier removals.")
    else:
        chosen = RADIUS if radius is None else radius
        require_radius(chosen, "phash")
        report = remove_subject(dataset, subject, reason, aliases=aliases, radius=chosen, seed=seed)
    if as_json:
        print_json(_plain(report))
    else:
        _print(report)
    click.get_current_context().exit(EXIT_CODES[report.proof.verdict])


def _plain(report: RemovalReport) -> dict[str, Any]:
    plain = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    proof = plain.pop("proof")
    plain["look_alikes"] = [
        {"image_id": alike.shown.image_id, "like": alike.like, "distance": alike.distance}
        for alike in report.look_alikes
    ]
    plain["proof_file"] = str(report.proof_file)
    plain["verdict"] = proof.verdict
    plain["findings"] = [issue.to_json() for issue in report.issues]
    return plain


def _print(report: RemovalReport) -> None:
    if report.removed is not None:
        counts = ", ".join(f"{what} {number:,}" for what, number in report.removed.items())
        click.echo(f"removed: {counts}")
        for alike in report.look_alikes:
            click.echo(f"removed with them: picture {alike.shown.image_id}, {alike.distance} bits from {alike.like}")
        if report.others:
            click.echo(f"removed with them: {len(report.others):,} records of others ({', '.join(report.others)})")
        click.echo(f"wrong answers made anew: {len(report.renewed):,} records of others")
        cleaned = ", ".join(f"{number:,} in {place}" for place, number in report.cleaned.items())
        click.echo(f"redacted: {cleaned or 'nothing'}; kept releases rewritten: {report.releases}")
        for picture in report.captioned:
            click.echo(f"look at picture {picture}: its text_found held the name, so its pixels may show it")
    for issue in report.issues:
        click.echo(f"{issue.severity}: {issue.code}: {issue.where}: {issue.message}")
    proof = report.proof
    searched = proof.searched
    click.echo(
        f"searched: {searched.files:,} files and {searched.within:,} within them, {searched.texts:,} texts, "
        f"{searched.pictures:,} pictures; not looked for: {'; '.join(proof.not_looked_for) or 'nothing'}"
    )
    click.echo(f"proof file: {report.proof_file}")
    if proof.verdict == "nothing left":
        click.echo("proof: nothing is left")
    else:
        found = ((len(proof.of(sort)), words) for sort, words in _SORTS.items())
        told = ", ".join(f"{number:,} {words}" for number, words in found if number)
        begin = "something is left" if proof.verdict == "something left" else "to be looked at"
        click.echo(f"proof: {begin}: {told}")
