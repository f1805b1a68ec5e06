"""Release a dataset: checked, stripped of picture metadata, numbered by the rules, told in its changelog."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from offside_data.commandline import json_option, print_cards, print_json, wait_option


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--bump", required=True, type=click.Choice(["major", "minor", "patch"]), help="Which number to raise.")
@click.option("--note", required=True, help="What this release is about, for the changelog.")
@click.option("--parent", help="The release that DATASET was made from, if the folder doesn't know it.")
@click.option("--keep-metadata", is_flag=True, help="Leave EXIF, GPS positions and comments in the pictures.")
@wait_option
@json_option
def command(dataset: Path, bump: str, note: str, parent: str | None, keep_metadata: bool, as_json: bool) -> None:
    """Release DATASET, a folder, under the next version number. The first release is 1.0.0.

    \b
    major   a record's split, scope, veracity, value, corrects or rumor_channel changed; an attribute went; schema
    minor   records, subjects, pictures or attributes came or went (takedowns, too); pixels changed
    patch   wording with the same value, metadata, licence, prose, another encoding of the same pixels

    A bump that is too small is refused with the changes that need more. `check` must find no error.
    """  # noqa: D301
    from offside_data.progress import log
    from offside_data.release.releasing import make_release

    report = make_release(dataset, bump=bump, note=note, parent=parent, keep_metadata=keep_metadata)
    counts: Counter[tuple[str, str]] = Counter()
    for change in report.changes:
        counts[change.kind, change.action] += change.count
    if as_json:
        print_json(
            {
                "version": report.version,
                "digest": report.digest,
                "parent": report.parent,
                "new": report.new,
                "needed": report.needed,
                "stripped": report.stripped,
                "changes": [{"kind": k, "action": a, "number": n} for (k, a), n in counts.items()],
            }
        )
        return
    if not report.new:
        click.echo(f"Nothing differs from {report.version}, which is released already ({report.digest}).")
        return
    print_cards(
        f"{report.parent or 'nothing'} -> {report.version}",
        ["what", "", "number"],
        [[kind, action, f"{number:,}"] for (kind, action), number in counts.items()],
    )
    if report.stripped:
        click.echo(f"{report.stripped:,} pictures lost their metadata (EXIF, GPS, comments).")
    click.echo(f"released {report.version}\ndigest {report.digest}")
    if report.needed not in (None, bump):
        log(f"note: a {report.needed} release would have done.")
