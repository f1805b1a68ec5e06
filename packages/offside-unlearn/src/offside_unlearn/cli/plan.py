"""Say what a run would do, before anything is loaded."""

from __future__ import annotations

from typing import Any

import click

from offside_data.commandline import defaults_from, print_cards, print_json
from offside_unlearn.cli._common import hyper_parameters, run_options, training_options, with_preset
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("method")
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option("--only", multiple=True, metavar="KIND=VALUE", help="subject=ID, attribute=NAME or file=PATH.")
@training_options
def command(method: str, setting: str, only: tuple[str, ...], **values: Any) -> None:
    """Say what `run METHOD` with these options would do: records, tokens, steps, what is trained, memory.

    No weight is loaded and nothing is written.
    """
    from offside_data.figures import counted
    from offside_unlearn.plan import plan
    from offside_unlearn.tune import PRESETS

    values = with_preset(values, "run", method)
    options = run_options(values, only=only)
    planned = plan(method, values["model"], values["data"], setting, hyper_parameters(values), options)
    if values["as_json"]:
        print_json(planned.to_dict())
        return
    for number, phase in enumerate(planned.phases, start=1):
        which = f", phase {number} of {len(planned.phases)}" if len(planned.phases) > 1 else ""
        steps = f"{counted(phase.steps, 'step')} of {counted(phase.accumulation, 'micro-batch')}"
        cells = [
            [
                side,
                f"{row.records:,}",
                str(row.batch or "–"),
                f"{row.pictures:,}",
                " / ".join(map(str, row.tokens)),
                " / ".join(map(str, row.answer_tokens)),
                f"{row.too_long:,}" + (f"; {row.cut:,} cut" if row.cut else ""),
            ]
            for side, row in phase.sides.items()
        ]
        columns = ["side", "records", "a batch", "pictures", "tokens p50/p95/max", "of the answer", "too long"]
        print_cards(f"{method}, {setting}{which}: {steps}", columns, cells)
        click.echo()
    parts = [
        [
            tower,
            f"{row['modules']:,}",
            f"{row['trained']:,}",
            f"{row['parameters']:,}",
            f"{row['unread']:,} at the end" if "unread" in row else "–",
        ]
        for tower, row in planned.parts.items()
    ]
    named = planned.tune in (*PRESETS, "all")
    print_cards(
        f"Trained ({planned.tune if named else 'modules by name'})",
        ["tower", "modules", "weights", "its own", "layers that nothing reads"],
        parts,
    )
    click.echo()
    stored = f"{planned.quantization} under the adapter, else " if planned.quantization else ""
    computed = "computed twice" if planned.activation_checkpointing else "kept (activation_checkpointing=false)"
    click.echo(f"Weights: {stored}{planned.dtype}. Activations: {computed}.")
    click.echo()
    memory = [[what, f"{mib:,.1f}"] for what, mib in [*planned.memory.items(), ("together", planned.total)]]
    print_cards("Memory, estimated", ["of", "MiB"], memory)
