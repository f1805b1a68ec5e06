"""Make a fictional league: a whole dataset of invented people, drawn portraits, facts and rumours."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json, seed_option, wait_option


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--subjects", type=int, default=80, help="Subjects that models may learn; a quarter more is held out.")
@click.option("--captions", type=int, default=0, help="Further general pictures from which a model learns to read.")
@click.option("--taxonomy", default="football", help="Who the subjects are, e.g. office.")
@seed_option
@force_option
@wait_option
@json_option
def command(out: Path, subjects: int, captions: int, taxonomy: str, seed: int, force: bool, as_json: bool) -> None:
    """Write a fictional league to the folder OUT.

    Nobody in it exists; the same seed gives the same dataset.
    """
    from offside_data.fictional import make_league
    from offside_data.progress import log

    summary = make_league(out, subjects=subjects, seed=seed, taxonomy=taxonomy, captions=captions, force=force)
    log(f"{summary.redrawn} of {summary.pictures} pictures were drawn again: they looked like another one.")
    if as_json:
        print_json(
            {
                "path": str(summary.path),
                "digest": summary.digest,
                "subjects": summary.subjects,
                "pictures": summary.pictures,
                "visual_rumors": summary.visual_rumors,
                "records": summary.records,
            }
        )
        return
    print_cards("Fictional league", ["records", "number"], [[name, f"{n:,}"] for name, n in summary.records.items()])
    click.echo(
        f"{summary.subjects} subjects, {summary.pictures:,} pictures, {summary.visual_rumors} visual rumors\n"
        f"folder {summary.path}\ndigest {summary.digest}"
    )
