"""Train an unlearned model on the corrections, or attack it, and see whether the rumours come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from, point_option
from offside_data.errors import UsageError
from offside_unlearn.cli._common import (
    as_document,
    curve_option,
    hyper_parameters,
    in_words,
    numbers,
    print_run,
    run_options,
    split_list,
    training_options,
    with_preset,
)
from offside_unlearn.options import RunOptions

_OF_ATTACKS = ("rates", "steps", "setting", "only")
_OF_OTHER_TRAINING = ("lr", "schedule", "max_steps", "epochs")
"""Options that an attack has other words for: at a constant rate, for so many steps."""


@defaults_from(RunOptions)
@click.command
@click.argument("out", type=click.Path(path_type=Path))
@curve_option
@point_option
@click.option("--attack", metavar="KIND", help="benign, related, direct-attribute or direct-subject; a run a rate.")
@click.option("--rates", metavar="R,R,…", help="Learning rates of an attack. [default: 3e-4,1e-3,3e-3]")
@click.option("--steps", metavar="N,N,…", help="Steps after which it is looked at. [default: 5,15,40,100,400]")
@click.option("--setting", help="Of an attack on a model that forgot nothing: what it is after.")
@click.option("--only", multiple=True, metavar="KIND=VALUE", help="How that request was narrowed.")
@training_options
def command(out: Path, curve_steps: str, point: str | None, attack: str | None, **values: Any) -> None:
    """Train an unlearned model on the corrections and write it to the folder OUT.

    With --attack train it on something else, at several learning rates, and keep it after several numbers of steps: a
    run for each rate comes into the folder OUT.
    """
    from offside_data.commandline import print_json
    from offside_data.run_curve import find_point
    from offside_unlearn.relearning import RATES, STEPS, relearn, relearn_attack

    values = with_preset(values, "relearn", without=() if attack is None else _OF_OTHER_TRAINING)
    model = values["model"] if point is None else find_point(values["model"], point)
    shared = (model, None, values["data"], hyper_parameters(values), out)
    given = [f"--{name}" for name in _OF_ATTACKS if values[name]]
    if attack is None:
        if given:
            raise UsageError(f"{', '.join(given)}: for an attack only; say which with --attack.")
        steps = numbers(curve_steps, "--curve-steps", "numbers of steps")
        print_run(relearn(*shared, curve_steps=steps, options=run_options(values)), as_json=values["as_json"])
        return
    if curve_steps:
        raise UsageError("--curve-steps: an attack takes --steps instead.")
    runs = relearn_attack(
        attack,
        *shared,
        rates=_rates(values["rates"]) if values["rates"] else RATES,
        steps=numbers(values["steps"], "--steps", "numbers of steps") if values["steps"] else STEPS,
        setting=values["setting"],
        only=values["only"],
        options=run_options(values),
    )
    if values["as_json"]:
        print_json([as_document(run) for run in runs])
        return
    for run in runs:
        click.echo(in_words(run))


def _rates(text: str) -> list[float]:
    try:
        return [float(item) for item in split_list(text)]
    except ValueError as error:
        raise UsageError(f"--rates takes learning rates, e.g. 3e-4,1e-3; got {text!r}.") from error
