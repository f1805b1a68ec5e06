"""Say before a run how small a difference so many subjects can show."""

from __future__ import annotations

import click

from offside_data.commandline import json_option, print_cards, print_json, seed_option


@click.command()
@click.option("--data", "data", required=True, metavar="REF", help="The dataset: a folder or a Hub reference.")
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option("--only", multiple=True, metavar="WHAT", help="Narrows the request: subject=ID, attribute=NAME, a file.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many records a slice.")
@click.option("--limit-kept", type=click.IntRange(min=1), help="At most so many of a slice of what stays.")
@click.option("--rate", type=float, default=0.9, show_default=True, help="Right answers of the better model.")
@click.option("--within", type=float, default=0.3, show_default=True, help="Correlation of one subject's records.")
@click.option("--between", type=float, default=0.5, show_default=True, help="Correlation of the two models.")
@click.option("--power", type=float, default=0.8, show_default=True, help="Chance at which it is to be seen.")
@click.option("--studies", type=int, default=400, show_default=True, help="Studies that are drawn.")
@seed_option
@json_option
def command(
    data: str,
    setting: str,
    only: tuple[str, ...],
    limit: int | None,
    limit_kept: int | None,
    as_json: bool,
    **assumed: float,
) -> None:
    """How small a difference between two models the subjects of a dataset can show, set by set.

    Studies are drawn in which both answer what the setting asks; their intervals are those of the report. Nothing is
    loaded but the dataset.
    """
    import dataclasses

    from offside_data.figures import number
    from offside_eval.power import Assumptions, power

    assumptions = Assumptions(**assumed)  # type: ignore[arg-type]  # click gives each its type
    found = power(data, setting, assumptions, only=only, limit=limit, limit_kept=limit_kept)
    if as_json:
        sets = [dataclasses.asdict(one) for one in found]
        print_json({"setting": setting, "assumed": dataclasses.asdict(assumptions), "sets": sets})
        return
    rows = [
        [one.name, str(one.records), str(one.subjects), number(one.half_width), one.reason or number(one.smallest)]
        for one in found
    ]
    columns = [
        "set",
        "records",
        "subjects",
        "± (no difference)",
        f"smallest drop seen {assumptions.power:.0%} of the time",
    ]
    print_cards(f"{setting}: one seed, models right {assumptions.rate:g} of the time and less", columns, rows)
