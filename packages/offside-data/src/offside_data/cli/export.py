"""Export a dataset for other people's trainers and evaluators (OFFSIDE, ms-swift, LLaMA-Factory, MLLMU-Bench)."""

from __future__ import annotations

from pathlib import Path

import click

from offside_data.commandline import force_option, json_option, print_cards, print_json, wait_option


@click.command()
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--format", "format_", required=True, help="The target format; a wrong name lists all that are known.")
@click.option("--config", "configs", default="", help="Only these configs: multimodal, text, or both with a comma.")
@click.option("--splits", default="", help="Only these splits, separated by commas.")
@force_option
@wait_option
@json_option
def command(dataset: str, out: Path, format_: str, configs: str, splits: str, force: bool, as_json: bool) -> None:
    """Write the records of DATASET into the folder OUT in another format.

    What the format can't hold is counted and listed; OUT/export.json names every record.
    """
    from offside_data.export import export_dataset

    report = export_dataset(dataset, out, format_, configs=_names(configs), splits=_names(splits), force=force)
    if as_json:
        print_json(report.to_json())
        return
    print_cards(report.format, ["file", "records"], [[name, f"{len(ids):,}"] for name, ids in report.files.items()])
    if lost := report.lost():
        print_cards("lost", ["what", "number", "why"], [[what, f"{n:,}", why] for what, n, why in lost])
    left_out = report.records - report.written
    click.echo(f"{report.written:,} of {report.records:,} records written, {left_out:,} left out\nfolder {report.out}")


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]
