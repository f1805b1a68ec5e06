"""Options and output that the commands share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offside_data.commandline import device_options, force_option, json_option, seed_option
from offside_data.errors import UsageError
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
        click.option("--preset", help="Options of a published comparison, one of `offside-unlearn presets`."),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file of options."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="An option; wins over --config."),
        click.option("--limit", type=click.IntRange(min=1), help="Draw at most so many records of each set."),
        click.option("--checkpoint-seconds", type=float, help="Least time between two checkpoints."),
        click.option(
            "--report-to",
            type=click.Choice(["none", "tensorboard", "wandb"]),
            help="Where the numbers go while it trains, too: to OUT/logs. W&B stays offline unless WANDB_MODE is set.",
        ),
        click.option(
            "--quantization",
            type=click.Choice(["nf4"]),
            help="Keep the base model in 4 bits under the adapter (needs bitsandbytes).",
        ),
        device_options,
        seed_option,
        force_option,
        json_option,
    )[::-1]:
        function = option(function)
    return function


def run_options(values: dict[str, Any], **more: Any) -> RunOptions:
    """Take the values of `training_options` that belong to `RunOptions`."""
    of_model = ("device", "dtype", "quantization", "max_pixels")
    names = ("tune", "limit", "checkpoint_seconds", "report_to", *of_model, "seed", "force")
    return RunOptions(full=not values["lora"], **{name: values[name] for name in names}, **more)


def with_preset(
    values: dict[str, Any], command: str, method: str | None = None, *, without: Collection[str] = ()
) -> dict[str, Any]:
    """The values of `training_options`, with what `--preset` says in place of what wasn't typed.

    An adapter that is continued has its size and its place already: what the preset says of these is left out.

    Args:
        values: As click gives them.
        command: `finetune`, `relearn` or `run`.
        method: Of `run`, maybe with wrappers.
        without: Options that the command says in another way.

    Raises:
        UsageError: If there is no such preset, or it hasn't got the method.
    """
    from click.core import ParameterSource

    from offside_data.progress import log
    from offside_data.vlm.bases import ADAPTER_CONFIG
    from offside_unlearn.preset import load_preset, values_of

    if values["preset"] is None:
        return values
    preset = load_preset(values["preset"])
    part = preset.of(command, method.partition("+")[0] if method else None)
    given, context = dict(values), click.get_current_context()
    arguments, options = values_of(part.arguments), values_of(part.options)
    arguments = {
        name: value
        for name, value in arguments.items()
        if context.get_parameter_source("lora" if name == "full" else name) is ParameterSource.DEFAULT
    }
    if "full" in arguments:
        given["lora"] = not arguments.pop("full")
    idle = set(without)
    if not given["lora"]:
        idle |= {"r", "lora_alpha", "lora_dropout"}
    elif (Path(given["model"]) / ADAPTER_CONFIG).is_file():
        idle |= {"r", "lora_alpha", "lora_dropout", "tune"}
        left = sorted(idle & (arguments.keys() | options.keys()))
        if left:
            log(f"{values['preset']}: {', '.join(left)} left out: {given['model']} is an adapter, and is continued.")
    given |= {name: value for name, value in arguments.items() if name not in idle}
    options = {name: value for name, value in options.items() if name not in idle}
    for sentence in preset.differs:
        log(f"{values['preset']}: {sentence}")
    return {**given, "preset_options": options}


def hyper_parameters(values: dict[str, Any]) -> dict[str, Any]:
    """What `--preset` says, overlaid with `--config` and then `--set`.

    Steps count instead of epochs, so that epochs take away the steps that stand below them.
    """
    from offside_data.config import parse_assignments, read_yaml

    from_file = read_yaml(values["config_file"]) if values["config_file"] else {}
    found: dict[str, Any] = {}
    for layer in (values.get("preset_options", {}), from_file, parse_assignments(values["assignments"])):
        if "epochs" in layer:
            found.pop("max_steps", None)
        found |= layer
    return found


def split_list(text: str) -> list[str]:
    """`a,b` to `["a", "b"]`."""
    return [item.strip() for item in text.split(",") if item.strip()]


def curve_option(function: F) -> F:
    """Add `--curve-steps`."""
    option = click.option(
        "--curve-steps", default="", metavar="N,N,…", help="Keep the model after so many steps, in OUT/curve."
    )
    return option(function)


def numbers(text: str, option: str, what: str) -> list[int]:
    """`1,2` to `[1, 2]`.

    Raises:
        UsageError: If one isn't a whole number.
    """
    try:
        return [int(item) for item in split_list(text)]
    except ValueError as error:
        raise UsageError(f"{option} takes {what}, e.g. 1,2,3; got {text!r}.") from error


def print_run(run: Run, *, as_json: bool) -> None:
    """Say what was made."""
    from offside_data.commandline import print_json

    if as_json:
        print_json(as_document(run))
    else:
        click.echo(in_words(run))


def as_document(run: Run) -> dict[str, Any]:
    """A run for programs."""
    return {"path": str(run.path), "reused": run.reused, "manifest": run.manifest.to_json()}


def in_words(run: Run) -> str:
    """A run in a line."""
    from offside_unlearn.manifest import terms_in_words

    manifest, training = run.manifest, run.manifest.training
    details = ""
    if training is not None:
        details = f"; {training.wall_time_s:.0f} s, {terms_in_words(training.loss_history[-1])}"
        if training.stopped is not None and training.checks:
            details += f"; {_ending(training.stopped, training.steps, training.checks[-1])}"
    return f"{run.path}: {manifest.title} ({manifest.role}){details}"


def _ending(stopped: str, steps: int, check: Mapping[str, float]) -> str:
    reached = f"forgetting {check['forgetting']:.2f} and keeping {check['keeping']:.2f} of the validation part"
    if stopped == "collapse":
        return f"stopped at step {steps}, collapsed: {reached}"
    return f"{'stopped' if stopped == 'forgetting' else 'not stopped'} at step {steps}: {reached}"
