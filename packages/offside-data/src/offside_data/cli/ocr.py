"""Read the text in pictures, and propose which rumours stand in the pixels (extra `ocr`)."""

from __future__ import annotations

import click

from offside_data.commandline import json_option, print_cards, print_json, wait_option


@click.command()
@click.argument("dataset")
@click.option("--apply", is_flag=True, help="Change rumor_channel of the records as proposed.")
@click.option("--again", is_flag=True, help="Also read pictures whose text is known.")
@wait_option
@json_option
def command(dataset: str, apply: bool, again: bool, as_json: bool) -> None:
    """Read the text in the pictures of DATASET into its table of pictures, and list rumours that stand there.

    Needs the extra: pip install 'offside-data[ocr]'.
    """
    from offside_data.dataset.folder import open_dataset
    from offside_data.images.ocr import find_text

    report = find_text(open_dataset(dataset).path, apply=apply, again=again)
    if as_json:
        print_json(report.to_json())
        return
    if report.proposals:
        rows = [
            [p.record_id, p.image_id, p.attribute, p.value, f"{p.old} -> {p.new}", p.text] for p in report.proposals
        ]
        print_cards(
            "rumor_channel", ["record", "picture", "attribute", "value", "channel", "text in the picture"], rows
        )
    click.echo(f"{report.read} pictures read; {report.with_text} pictures show text.")
    done = "applied" if apply else "to apply them: --apply"
    click.echo(f"{len(report.proposals)} proposals" + (f" ({done})." if report.proposals else "."))
