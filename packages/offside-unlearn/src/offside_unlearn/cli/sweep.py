"""Search a method's options by what they do to a validation part."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offside_data.commandline import defaults_from
from offside_unlearn.cli._common import hyper_parameters, run_options, training_options, with_preset
from offside_unlearn.options import RunOptions, SweepOptions

if TYPE_CHECKING:
    from offside_unlearn.sweeping import Sweep

_SAID_OTHERWISE = frozenset({"only", "full", "force", "checkpoint_seconds", "report_to"})
"""Options of a run that the printed command has in another way, or that don't change what it makes."""


@defaults_from(SweepOptions)
@defaults_from(RunOptions)
@click.command
@click.argument("method")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--setting", required=True, help="complete, selective, corrective, unimodal or visual-rumor.")
@click.option("--only", multiple=True, metavar="KIND=VALUE", help="subject=ID, attribute=NAME or file=PATH.")
@click.option(
    "--search",
    multiple=True,
    metavar="OPTION=VALUES",
    help="Search this option, A,B,C or LOW..HIGH, besides the method's own space or in its place.",
)
@click.option("--at", metavar="forgetting=LEVEL", help="How much a model must have forgotten to count.")
@click.option("--trials", type=click.IntRange(min=1), help="Runs in all, those of earlier calls included.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Begin no further run after that.")
@click.option("--keep", type=click.Choice(["best", "all", "none"]), help="Which runs stay, in OUT/runs.")
@training_options
def command(
    method: str,
    out: Path,
    setting: str,
    only: tuple[str, ...],
    search: tuple[str, ...],
    at: str,
    trials: int,
    timeout: float | None,
    keep: Any,
    **values: Any,
) -> None:
    """Search the options of METHOD for those that forget enough and keep the most, in the folder OUT.

    Both are measured on a validation part, which no report counts. What --set and --config say is fixed, the rest of
    the method's space is searched; --preset says where the other options stand. OUT/best.yaml holds what was found, for
    `run METHOD … --config OUT/best.yaml`. Started again after an interruption, or with more --trials, it goes on.
    """
    from offside_data.commandline import print_json
    from offside_unlearn.space import parse_search
    from offside_unlearn.sweeping import SweepError, sweep

    values = with_preset(values, "run", method)
    options = run_options(values, only=only)
    found = sweep(
        method,
        values["model"],
        values["data"],
        setting,
        hyper_parameters({**values, "preset_options": {}}),
        out,
        options,
        search=parse_search(search),
        defaults=values.get("preset_options"),
        at=at,
        trials=trials,
        timeout=timeout,
        keep=keep,
    )
    again = command_for(found, setting, options, values) if found.best else None
    if values["as_json"]:
        print_json({**found.to_dict(), "command": again})
    else:
        _print(found, again)
    if found.best is None:
        raise SweepError.of(found)


def command_for(found: Sweep, setting: str, options: RunOptions, values: dict[str, Any]) -> str:
    """What makes a run with the options found."""
    words = ["offside-unlearn", "run", found.method, "OUT", "--model", values["model"], "--data", values["data"]]
    words += ["--setting", setting, *(word for narrowed in options.only for word in ("--only", narrowed))]
    words += ["--config", str(found.config), *(["--full"] if options.full else [])]
    for name, value in dataclasses.asdict(options).items():
        if name not in _SAID_OTHERWISE and value != getattr(RunOptions, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _print(found: Sweep, again: str | None) -> None:
    from offside_data.commandline import print_cards
    from offside_data.figures import counted

    ranked = sorted(found.trials, key=lambda trial: trial.rank(found.level), reverse=True)
    columns = ["trial", *found.space, "forgetting", "keeping", "broken", "outcome"]
    cells = [
        [
            str(trial.number),
            *("null" if trial.options[name] is None else str(trial.options[name]) for name in found.space),
            *(f"{trial.found[name]:.2f}" if trial.found else "–" for name in ("forgetting", "keeping", "broken")),
            trial.outcome,
        ]
        for trial in ranked
    ]
    part = found.held_out
    asked = f"{counted(len(part.forget), 'record')} to be forgotten and {len(part.retain)} that stay"
    print_cards(f"{found.method} at forgetting {found.level:g}, on a validation part of {asked}", columns, cells)
    if found.best is not None:
        click.echo(f"best: trial {found.best.number}, {found.config}" + (f", {found.run}" if found.run else ""))
        click.echo(again)
