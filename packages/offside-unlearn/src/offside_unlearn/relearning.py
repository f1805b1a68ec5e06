"""Train an unlearned model further, and see what comes back: on the corrections, or as an attack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.donors import read_donors
from offside_data.errors import DatasetError, UsageError
from offside_data.plugins import Registry
from offside_unlearn.attacks import Target, TaughtRecords
from offside_unlearn.engine import execute
from offside_unlearn.finetuning import FinetuneConfig, FinetuneTask, opened, record_parts
from offside_unlearn.options import RunOptions, build_configs, rate_folder
from offside_unlearn.runs import Run, require_folder_of_runs
from offside_unlearn.start import Start, check_lora, find_start
from offside_unlearn.tune import LoraOptions

ATTACKS = Registry(
    "offside_unlearn.attacks",
    "relearning attack",
    needs={"__doc__": str, "NEEDS_REQUEST": bool, "taught": FunctionType},
)
"""All kinds of relearning attacks, third parties' included."""

RATES = (3e-4, 1e-3, 3e-3)
STEPS = (5, 15, 40, 100, 400)
"""Learning rates and steps of an attack unless told otherwise; ours. Step 0 is the model itself."""


@dataclass(frozen=True, kw_only=True)
class RelearnConfig(FinetuneConfig):
    """As `FinetuneConfig`; defaults of the published relearning.

    Args:
        epochs: source: code (OFFSIDE: 6).
    """

    epochs: float = 6.0


def relearn(
    model: Any,
    processor: Any,
    data: str | Path | OffsideDataset,
    config: Mapping[str, Any] | None,
    out: str | Path,
    *,
    curve_steps: Sequence[int] = (),
    options: RunOptions | None = None,
) -> Run:
    """Train an unlearned model on the `relearn` split: corrections, and the shared facts beside them.

    An adapter run is continued in place, so that the new adapter loads on the same base model.

    Args:
        model: A path, a Hub id, or a loaded model.
        processor: Of a loaded model; null with a path.
        data: A dataset or a reference to one.
        config: Options of `RelearnConfig` and `LoraOptions` that differ from the defaults.
        out: The run folder.
        curve_steps: Keep the model after so many steps besides, in `OUT/curve/step-…`, each a run
            folder of its own. Step 0 is the model itself and isn't written again.
        options: The rest.

    Raises:
        DatasetError: If the dataset has no `relearn` split.
    """
    dataset, start = opened(data), find_start(model, processor)
    options = options or RunOptions()
    train_config, lora = build_configs(config or {}, RelearnConfig, LoraOptions)
    check_lora(start, options, config or {})
    parts = record_parts(dataset, ["relearn"], ["multimodal"])
    rows = {part: dataset.records(*part.split("/")) for part in parts}
    identity = _of_start(start, parts)
    task = FinetuneTask(dataset, rows, train_config, lora, options, read_donors(start.path) or ())
    curve = tuple(sorted({int(step) for step in curve_steps}))
    return execute(task.job(f"relearned on {dataset.name}", start, Path(out), identity, curve))


def relearn_attack(
    kind: str,
    model: Any,
    processor: Any,
    data: str | Path | OffsideDataset,
    config: Mapping[str, Any] | None,
    out: str | Path,
    *,
    rates: Sequence[float] = RATES,
    steps: Sequence[int] = STEPS,
    setting: str | None = None,
    only: Sequence[str] = (),
    options: RunOptions | None = None,
) -> list[Run]:
    """Try to bring back what was forgotten by training, at several learning rates and for several numbers of steps.

    The same batches in the same order for every model with the same `options.seed`, a constant rate, a model kept after
    each number of steps: `offside-eval` looks for the peak among them, beside retain-only attacked alike.

    Args:
        kind: One of `ATTACKS.names()`; a hyphen may stand for an underscore.
        model: A path, a Hub id, or a loaded model.
        processor: Of a loaded model; null with a path.
        data: A dataset or a reference to one.
        config: Options of `RelearnConfig` and `LoraOptions` that differ from the defaults.
        out: A folder; a run for each rate comes into it, `rate-0.001`.
        rates: Learning rates.
        steps: Optimizer steps after which the model is kept.
        setting: In which it was to be forgotten, for an attack on the forgotten claims themselves; an unlearned model's
            manifest says so.
        only: How that request was narrowed.
        options: The rest.

    Returns:
        The runs, one a rate.

    Raises:
        UsageError: If an option doesn't fit, or the attack must know what was forgotten and doesn't.
        PluginError: If there is no such attack.
        DatasetError: If the dataset has no records for it.
        OutputExistsError: If `out` is a run itself.
    """
    name = kind.replace("-", "_")
    attack, options, given = ATTACKS.load(name), options or RunOptions(), dict(config or {})
    chosen = attack_steps(given, rates, steps)
    require_folder_of_runs(Path(out))
    dataset, start = opened(data), find_start(model, processor)
    known = _forgotten(dataset, start, setting, only) if setting or attack.NEEDS_REQUEST else frozenset[str]()
    taught: TaughtRecords = attack.taught(Target(dataset, known, seed=0))
    if not taught.rows:
        raise DatasetError(f"{dataset.path}: there are no records that the attack {kind} could train on.")
    told = taught.forgotten.union(start.manifest.taught or () if start.manifest else ())
    runs = []
    for rate in rates:
        settings = {"schedule": "constant", **given, "lr": rate, "max_steps": max(chosen)}
        train_config, lora = build_configs(settings, RelearnConfig, LoraOptions)
        check_lora(start, options, given)
        identity = {
            **_of_start(start, list(taught.rows)),
            "attack": name,
            **({"taught": sorted(told)} if told else {}),
        }
        task = FinetuneTask(dataset, taught.rows, train_config, lora, options, read_donors(start.path) or ())
        title = f"{name.replace('_', ' ')} relearning on {dataset.name}, learning rate {rate:g}"
        runs.append(execute(task.job(title, start, Path(out) / rate_folder(rate), identity, chosen)))
    return runs


def attack_steps(given: Mapping[str, Any], rates: Sequence[float], steps: Sequence[int]) -> tuple[int, ...]:
    """The steps after which an attacked model is kept, in order.

    Args:
        given: Options that the caller gives.
        rates: Learning rates.
        steps: As asked for.

    Raises:
        UsageError: If there are none, or an option says what these say.
    """
    for name, option in (("lr", "--rates"), ("max_steps", "--steps"), ("epochs", "--steps")):
        if name in given:
            raise UsageError(f"{name}: an attack takes {option} instead.")
    if not rates or len(set(map(rate_folder, rates))) < len(rates) or not all(0 < rate < math.inf for rate in rates):
        raise UsageError(f"--rates takes positive numbers, each once, e.g. 3e-4,1e-3; got {list(rates)}.")
    chosen = tuple(sorted({int(step) for step in steps if step}))
    if not chosen or chosen[0] < 0:
        raise UsageError(f"--steps takes numbers of steps, e.g. 5,15,40; got {list(steps)}.")
    return chosen


def _forgotten(dataset: OffsideDataset, start: Start, setting: str | None, only: Sequence[str]) -> frozenset[str]:
    """Ids of what was to be forgotten: by the model's manifest, or as the caller says."""
    manifest = start.manifest
    own = frozenset(manifest.forget.record_ids) if manifest and manifest.forget else None
    if setting is None:
        if own is None:
            raise UsageError(
                f"{start.path}: nothing was unlearned here, so say with --setting what the attack is after: that of "
                "the unlearned models it is to be compared with."
            )
        return own
    asked = frozenset(dataset.request(setting, tuple(only)).record_ids)
    if own is not None and own != asked:
        raise UsageError(
            f"{start.path} was to forget {len(own)} records, and --setting {setting} names {len(asked)}, not the same. "
            "Leave --setting and --only out: its manifest says what it was."
        )
    return asked


def _of_start(start: Start, parts: Sequence[str]) -> dict[str, Any]:
    """What a relearned model's manifest says of the model it comes from."""
    before = start.manifest.to_json() if start.manifest else {}
    return {
        "command": "relearn",
        "role": "relearned",
        "trained_on": sorted({*start.trained_on, *parts}),
        # What was to be forgotten before; an evaluation asks whether it is back.
        **{name: before.get(name) for name in ("method", "setting", "only", "forget")},
        **{name: before[name] for name in ("validation", "taught") if before.get(name)},
    }
