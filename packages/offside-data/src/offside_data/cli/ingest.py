"""Import a published dataset (OFFSIDE and others) into a dataset folder."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.adapters._base import LEFT_OUT
from offside_data.commandline import force_option, json_option, print_cards, print_json, wait_option
from offside_data.config import parse_assignments
from offside_data.figures import counted
from offside_data.ingest import IngestConfig, ingest
from offside_data.progress import log

SHOWN_REMARKS = 30
"""Remarks of a kind that are printed; `decisions.jsonl` and `--json` hold all."""


@click.command
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--format", "format_", default="auto", help="The source's format; a wrong name lists all that are known.")
@click.option("--without-images", is_flag=True, help="Import the texts alone; records keep the picture's id.")
@click.option(
    "--image-dir",
    "image_dirs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Also look for pictures here. May be repeated.",
)
@click.option("--name", default=IngestConfig.name, help="Name of the dataset; default: the format's name.")
@click.option("--license", "license_", default=IngestConfig.license, help="Hub licence identifier for the card.")
@click.option("--keep-text", is_flag=True, help="Don't mend artefacts of the published text, e.g. a name's full stop.")
@click.option(
    "--skip-bad", is_flag=True, help="Leave unusable rows and pictures out, and list them, instead of stopping."
)
@click.option(
    "--taxonomy", default=IngestConfig.taxonomy, help="A shipped taxonomy or the path of one; default: the format's."
)
@click.option("--set", "settings", multiple=True, help="An option of the format, key=value. May be repeated.")
@force_option
@wait_option
@json_option
def command(
    source: Path,
    out: Path,
    format_: str,
    without_images: bool,
    image_dirs: tuple[Path, ...],
    name: str,
    license_: str,
    keep_text: bool,
    skip_bad: bool,
    taxonomy: str,
    settings: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Import SOURCE, a file or folder in a published format, into the dataset folder OUT."""
    config = IngestConfig(
        name=name,
        license=license_,
        image_dirs=image_dirs,
        repair_text=not keep_text,
        skip_bad=skip_bad,
        taxonomy=taxonomy,
        settings=parse_assignments(settings),
    )
    report = ingest(source, out, format_, with_images=not without_images, force=force, config=config)
    if as_json:
        print_json(report.to_json())
        return
    print_cards(
        report.format,
        ["config/split", "records"],
        [[k, str(n)] for k, n in report.splits.items()],
    )
    left_out = {k: report.count(k) for k in LEFT_OUT if report.count(k)}
    words = "".join(f", {n} {kind}" for kind, n in left_out.items())
    click.echo(
        f"{counted(report.rows, 'row')}: {counted(report.records, 'record')}{words}. "
        f"{counted(report.subjects, 'subject')}, ",
        nl=False,
    )
    click.echo(f"{counted(report.pictures, 'picture')}{'' if report.with_images else ' (not included)'}.")
    odd = f"{report.count('suspect')} suspect, {report.count('unparsed')} values not readable"
    click.echo(f"{odd}; see {out / 'decisions.jsonl'}.")
    if report.quarantined:
        click.echo(f"Pictures that can't be used: {len(report.quarantined)}; see {out / '.offside' / 'quarantine'}.")
    for picture in report.quarantined[:SHOWN_REMARKS]:
        log(f"quarantined: {picture}")
    for kind in ("note", "suspect", "unparsed", "empty", "rejected"):
        remarks = [remark for remark in report.remarks if remark.kind == kind]
        for remark in remarks[:SHOWN_REMARKS]:
            log(f"{kind}: {remark}")
        if len(remarks) > SHOWN_REMARKS:
            log(f"{kind}: and {len(remarks) - SHOWN_REMARKS} more, see {out / 'decisions.jsonl'}.")
