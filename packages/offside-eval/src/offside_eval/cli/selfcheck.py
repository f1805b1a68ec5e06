"""Ask a few questions in every way before a long evaluation."""

from __future__ import annotations

import click

from offside_data.commandline import (
    defaults_from,
    device_options,
    json_option,
    print_cards,
    print_json,
    seed_option,
)
from offside_eval.config import EvaluationConfig


@defaults_from(EvaluationConfig)
@click.command()
@click.option("--model", required=True, help="Model folder, adapter folder or Hub name.")
@click.option("--data", required=True, metavar="REF", help="Dataset: a folder, or ORG/NAME[@VERSION].")
@click.option("--setting", help="Whose questions are drawn. [default: the first that the dataset offers]")
@click.option("--n", type=click.IntRange(min=1), default=8, show_default=True, help="How many questions.")
@click.option("--max-new-tokens", type=int, help="Where an answer that doesn't end is cut.")
@click.option("--max-length", type=int, help="Tokens that a question and its answer may have.")
@device_options
@seed_option
@json_option
def command(model: str, data: str, setting: str | None, n: int, as_json: bool, **options: object) -> None:
    """Compare batch sizes and ways of asking MODEL on a few records of a dataset, and with plain `transformers` calls.

    Exits 1 if two ways disagree: an evaluation of this model couldn't be trusted.
    """
    import dataclasses

    from offside_data.config import build
    from offside_eval.selfcheck import selfcheck

    found = selfcheck(model, None, data, setting, n=n, config=build(EvaluationConfig, options))
    if as_json:
        print_json({"passed": found.passed, **dataclasses.asdict(found)})
    else:
        rows = []
        for check in found.checks:
            said = check.found + (f" (allowed: {check.allowed})" if check.allowed else "")
            if check.where is not None and check.values is not None:
                said += f"\n{check.where}: {check.values[0]} and {check.values[1]}"
            rows.append([check.name, check.outcome, check.looked_at, said])
        print_cards(f"{found.model}: {found.setting}", ["check", "outcome", "looked at", "found"], rows)
    if not found.passed:
        click.get_current_context().exit(1)
