"""Look at a dataset in a browser: every picture with all that is claimed about it, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_json

SHOWN = 10
"""How many pictures that can't be shown are listed."""


@click.command()
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), required=False)
@force_option
@json_option
def command(dataset: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Write a folder that shows DATASET and opens from disk: OUT, or DATASET-view beside it.

    It needs no server and no network. Nothing in DATASET is changed.
    """
    from offside_data.progress import log
    from offside_data.view import view_dataset

    report = view_dataset(dataset, out, force=force)
    for image, reason in list(report.problems.items())[:SHOWN]:
        log(f"picture {image} can't be shown: {reason}")
    if len(report.problems) > SHOWN:
        log(f"and {len(report.problems) - SHOWN:,} more")
    if as_json:
        print_json(
            {
                "path": str(report.path),
                "records": report.records,
                "pictures": report.pictures,
                "subjects": report.subjects,
                "clusters": report.clusters,
                "problems": report.problems,
            }
        )
        return
    click.echo(
        f"{report.pictures:,} pictures, {report.records:,} records, {report.subjects:,} subjects, "
        f"{report.clusters:,} {'cluster' if report.clusters == 1 else 'clusters'} of duplicates\n"
        f"open {report.path}"
    )
