"""Options of a run: what the caller decides besides the hyper-parameters, and whose `--set` is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from offside_data.config import build
from offside_data.errors import UsageError
from offside_data.plugins import require_known

LEARNT = ("general", "retain", "forget")
"""Splits that `finetune` teaches unless told otherwise."""

FAMILY = "qwen2_5_vl"
"""Architecture of a tiny model unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What decides a run besides method, data and hyper-parameters.

    Args:
        seed: Of everything random.
        full: Train the model's own weights instead of a LoRA adapter.
        tune: Which part is trained: `language`, `vision`, `projector`, `all`, or a regex on whole
            module names. Null: `language` for an adapter, `all` for full fine-tuning.
        only: Narrow an unlearning request: `subject=ID`, `attribute=NAME`, `file=PATH`.
        limit: Use at most so many records of each set, drawn by seed, for a quick look.
        force: Replace what the output folder holds.
        device: Where to load a model given by path; null = the best there is.
        dtype: Of its weights.
        quantization: Keep the base model's weights in fewer bits, under an adapter: `nf4` (4 bits, by `bitsandbytes`).
        max_pixels: Upper bound on the pixels of a picture.
        checkpoint_seconds: At least so long between two checkpoints.
        report_to: Where the numbers go while it trains, besides the receipt: `none`, `tensorboard` or `wandb`.
    """

    seed: int = 0
    full: bool = False
    tune: str | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    force: bool = False
    device: str | None = None
    dtype: str = "float32"
    quantization: str | None = None
    max_pixels: int | None = None
    checkpoint_seconds: float = 120.0
    report_to: str = "none"

    def __post_init__(self) -> None:
        """Refuse a seed that no generator takes.

        Raises:
            UsageError: If it is negative or has more than 32 bits.
        """
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"a seed is a whole number from 0 to {2**32 - 1}, got {self.seed}.")

    @property
    def default_tune(self) -> str:
        """Which part is trained where neither the user nor the method says."""
        return "all" if self.full else "language"


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """How a sweep searches and chooses.

    Args:
        at: `forgetting=LEVEL`: how much of what it knew a model must have forgotten. source: ours.
        trials: How many there shall be in all, those of earlier calls included. source: ours.
        timeout: Seconds after which no further trial is begun.
        keep: Which trials' runs stay: `best`, `all` or `none`.
    """

    at: str = "forgetting=0.8"
    trials: int = 20
    timeout: float | None = None
    keep: Literal["best", "all", "none"] = "best"


def rate_folder(rate: float) -> str:
    """The folder of an attack's run at a learning rate, e.g. `rate-0.001`."""
    return f"rate-{rate:g}"


def build_configs(values: Mapping[str, Any], *config_types: type) -> tuple[Any, ...]:
    """Build several configs from one namespace of options: each takes the keys that it has.

    Raises:
        UsageError: If no config has a key (with a suggestion), two have it, or a value doesn't fit.
    """
    owners: dict[str, type] = {}
    for config_type in config_types:
        for field in dataclasses.fields(config_type):
            if field.name in owners:
                both = f"{owners[field.name].__name__} and {config_type.__name__}"
                raise UsageError(f"option {field.name!r} is in both {both}; rename the method's.")
            owners[field.name] = config_type
    require_known("option", values, owners)
    return tuple(build(t, {k: v for k, v in values.items() if owners[k] is t}) for t in config_types)
