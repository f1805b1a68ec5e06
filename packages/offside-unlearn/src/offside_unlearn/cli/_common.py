"""Options and output that the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offside_data.commandline import device_options, force_option, json_option, seed_option

if TYPE_CHECKING:
    from offside_unlearn.options import RunOptions
    from offside_unlearn.runs import Run

F = TypeVar("F", bound=Callable[..., Any])


def training_options(function: F) -> F:
    """Options of every command that trains: model, data, hyper-parameters, device."""
    for option in (
        click.option("--model", required=True, help="A model folder, a run folder, or a Hub id."),
        click.option("--data", required=True, help="A dataset folder or reference."),
        click.option("--lora/--full", "lora", default=True, help="Train a LoRA adapter, or the model's own weights."),
        click.option(
            "--tune",
            default=None,
            help="language, vision, projector, all, or a regex on whole module names. "
            "[default: language with --lora, all with --full]",
        ),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file of options."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="An option; wins over --config."),
        click.option("--limit", type=click.IntRange(min=1), help="Use at most so many records of each set."),
        click.option("--checkpoint-seconds", type=float, default=120.0, help="Least time between two checkpoints."),
        device_options,
        seed_option,
        force_option,
        json_option,
    )[::-1]:
        function = option(function)
    return function


def run_options(values: dict[str, Any], **more: Any) -> RunOptions:
    """Take the values of `training_options` that belong to `RunOptions`."""
    from offside_unlearn.options import RunOptions

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

    manifest = run.manifest
    if as_json:
        print_json({"path": str(run.path), "reused": run.reused, "manifest": manifest})
        return
    last = (manifest.get("loss_history") or [{}])[-1]
    terms = [f"{name} {value:.4g}" for name, value in last.items() if name == "loss" or name.endswith(_TERMS)]
    seconds = f"{manifest['wall_time_s']:.0f} s" if "wall_time_s" in manifest else ""
    details = ", ".join(part for part in (seconds, *terms) if part)
    click.echo(f"{run.path}: {manifest['title']} ({manifest['role']}){f'; {details}' if details else ''}")


_TERMS = ("_ce", "_kl", "_npo")
