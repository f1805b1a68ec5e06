"""Put evaluated models side by side: what was forgotten, what survived, with intervals and controls."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from offside_data.commandline import json_option, print_cards, print_json
from offside_data.progress import log
from offside_eval.cli._options import comparison_of, comparison_options


@click.command()
@comparison_options
@json_option
def command(as_json: bool, **options: Any) -> None:
    """Put models side by side, given the RESULTS folders that `offside-eval run` wrote.

    Which is vanilla, retain-only or unlearned stands in the results; several settings are grouped.
    In brackets: 95 % intervals over subjects. Keeping is that of the set that suffered most. A curve's folder stands
    for all its points: such methods are compared where they have forgotten the same, and ranked at the highest of the
    levels that all of them reached.
    """
    from offside_eval.compare.judges import COLUMNS, judge_rows
    from offside_eval.compare.kinds import kind_rows
    from offside_eval.compare.show import (
        attack_rows,
        earlier_rows,
        level_rows,
        recovery_rows,
        terminal_rows,
        text,
        view_lines,
    )
    from offside_eval.findings import look_for
    from offside_eval.model_scores import beside, number_cells

    comparison = comparison_of(**options)
    findings = look_for(comparison)
    of_models = beside(comparison)
    if as_json:
        listed = [
            {"setting": s, "label": label, "metrics": {n: dataclasses.asdict(m) for n, m in numbers.items()}}
            for s, label, numbers in of_models
        ]
        print_json(comparison.to_dict() | {"findings": [f.to_dict() for f in findings], "model_metrics": listed})
        return
    for setting in comparison.settings.values():
        columns, rows = terminal_rows(setting)
        print_cards(f"{setting.name}: {setting.summary}", columns, rows)
        for line in view_lines(setting):
            click.echo(line)
        kinds, shares = kind_rows([*setting.rows, *setting.controls], setting, comparison.metric)
        if shares:
            told = [[whose, *cells] for whose, cells in shares]
            print_cards(f"{setting.name}: the answers to the private claims to be forgotten", ["model", *kinds], told)
        click.echo()
        for level in setting.levels:
            print_cards(f"{setting.name} at forgetting {level:g}", *level_rows(setting, level))
            click.echo()
        if setting.earlier:
            print_cards(f"{setting.name}: earlier requests", *earlier_rows(setting.earlier))
            click.echo()
        if setting.attacks:
            print_cards(f"{setting.name}: relearning attacks, at their peak", *attack_rows(setting))
            click.echo()
        if setting.recoveries:
            print_cards(f"{setting.name}: attacks, what came out besides plain answers", *recovery_rows(setting))
            click.echo()
    if of_models:
        rows = [[s, label, n, *number_cells(m)] for s, label, numbers in of_models for n, m in numbers.items()]
        print_cards(
            "metrics of whole models", ["setting", "model", "metric", "value", "records", "subjects", "said"], rows
        )
        click.echo()
    said = judge_rows(comparison.models)
    if said:
        print_cards("factuality by judges, 0 to 10", COLUMNS, said)
        click.echo()
    print_cards(
        "published findings",
        ["finding", "effect", "verdict", "because"],
        [[f.statement, text(f.figure), f.verdict, f.why] for f in findings],
    )
    for note in comparison.notes:
        log(f"note: {note}")
