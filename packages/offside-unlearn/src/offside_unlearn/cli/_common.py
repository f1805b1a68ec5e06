"""Options and output that the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offside_data.commandline import device_options, force_option, json_option, seed_option
from offside_unlearn.options import RunOptions

if TYPE_CHECKING:
    from offside_unlearn.runs import Run

F = TypeVar("F", bound=Callable[..., Any])


def training_options(function: F) -> F:
    """Options of every command that trains; `defaults_from(RunOptions)` gives them their defaults."""
    for option in (
        click.option("--model", required=True, help="A model folder, a run folder, or a Hub id."),
        click.option("--data", required=True, help="A dataset folder or reference."),
        click.option("--lora/--full", "lora", default=not RunOptions.full, help="Train an adapter or all weights."),
        click.option(
            "--tune",
            help="language, vision, projector, all, or a regex on whole module names. "
            "[default: language with --lora, all with --full]",
        ),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file of options."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="An option; wins over --config."),
        click.option("--limit", type=click.IntRange(min=1), help="Draw at most so many records of each set."),
        click.option("--checkpoint-seconds", type=float, help="Least time between two checkpoints."),
        device_options,
        seed_option,
        force_option,
        json_option,
    )[::-1]:
        function = option(function)
    return function


def run_options(values: dict[str, Any], **more: Any) -> RunOptions:
    """Take the values of `training_options` that belong to `RunOptions`."""
    names = ("tune", "limit", "checkpoint_seconds", "device", "dtype", "max_pixels", "seed", "force")
    return RunOptions(full=not values["lora"], **{name: values[name] for name in names}, **more)


def hyper_parameters(values: dict[str, Any]) -> dict[str, Any]:
    """`--config` overlaid with `--set`."""
    from offside_data.config import parse_assignments, read_yaml

    from_file = read_yaml(values["config_file"]) if values["config_file"] else {}
    return {**from_file, **parse_assignments(values["assignments"])}


def split_list(text: str) -> list[str]:
    """`a,b` to `["a", "b"]`."""
    return [item.strip() for item in text.split(",") if item.strip()]


def print_run(run: Run, *, as_json: bool) -> None:
    """Say what was made."""
    from offside_data.commandline import print_json
    from offside_unlearn.manifest import terms_in_words

    manifest, training = run.manifest, run.manifest.training
    if as_json:
        print_json({"path": str(run.path), "reused": run.reused, "manifest": manifest.to_json()})
        return
    details = ""
    if training is not None:
        details = f"; {training.wall_time_s:.0f} s, {terms_in_words(training.loss_history[-1])}"
    click.echo(f"{run.path}: {manifest.title} ({manifest.role}){details}")
