"""Unlearn a request with one method."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from offside_data.commandline import defaults_from
from offside_data.errors import UsageError
from offside_unlearn.cli._common import (
    as_document,
    curve_option,
    hyper_parameters,
    in_words,
    numbers,
    run_options,
    training_options,
    with_preset,
)
from offside_unlearn.options import RunOptions


@defaults_from(RunOptions)
@click.command
@click.argument("method")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option("--only", multiple=True, metavar="KIND=VALUE", help="subject=ID, attribute=NAME or file=PATH.")
@curve_option
@click.option(
    "--until",
    metavar="forgetting=LEVEL",
    help="Stop at the first step of the curve where so much of a validation part is forgotten, or the model collapses.",
)
@click.option("--seeds", metavar="N,N,…", help="A run a seed, in OUT/seed-N, instead of one with --seed.")
@training_options
def command(
    method: str,
    out: Path,
    setting: str,
    only: tuple[str, ...],
    curve_steps: str,
    until: str | None,
    seeds: str | None,
    **values: Any,
) -> None:
    """Unlearn with METHOD, one of `offside-unlearn methods`, and write the model to the folder OUT.

    What strengthens a method stands behind it: npo+sam, npo+layered+undo.

    With --curve-steps the learning rate is constant after the warm-up, unless --set schedule=… says otherwise.
    """
    from offside_data.commandline import print_json
    from offside_unlearn.runs import require_folder_of_runs
    from offside_unlearn.unlearning import unlearn

    values = with_preset(values, "run", method)
    options = run_options(values, only=only)
    steps = numbers(curve_steps, "--curve-steps", "numbers of steps")
    chosen = _seeds(seeds, options)
    if chosen is not None:
        require_folder_of_runs(out)
    places = {out: options.seed} if chosen is None else {out / f"seed-{seed}": seed for seed in chosen}
    each = {place: dataclasses.replace(options, seed=seed) for place, seed in places.items()}  # All are read first.
    runs = []
    for place, of_seed in each.items():
        run = unlearn(
            method,
            values["model"],
            None,
            values["data"],
            setting,
            hyper_parameters(values),
            place,
            of_seed,
            curve_steps=steps,
            until=until,
        )
        runs.append(run)
        if not values["as_json"]:
            click.echo(in_words(run))
    if values["as_json"]:
        print_json([as_document(run) for run in runs] if chosen is not None else as_document(runs[0]))


def _seeds(text: str | None, options: RunOptions) -> list[int] | None:
    if text is None:
        return None
    seeds = numbers(text, "--seeds", "whole numbers")
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds takes whole numbers, each once, e.g. 0,1,2; got {text!r}.")
    if options.seed != RunOptions.seed:
        raise UsageError(f"--seed {options.seed} and --seeds {text}: give one of them.")
    return seeds
