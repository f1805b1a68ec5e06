"""Runs of one step whose gradients are kept: by themselves in a process of their own, or as one of several.

`python gradients.py MODEL DATA OUT ACCUMULATION METHOD…` does one run a method, of four records a step, and writes what
the optimizer would have seen to OUT/METHOD.safetensors, by each process (`METHOD-1.safetensors` by the second).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from offside_data.progress import process_number
from offside_unlearn import RunOptions, trainer, unlearn
from offside_unlearn.methods import EditingMethod
from offside_unlearn.unlearning import METHODS

RECORDS = 4
"""Of each step."""


class Recording(trainer.Progress):
    """In the place of the progress bar, which every training has."""

    file: Path

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = kwargs["model"].named_parameters()
        save_file({name: p.grad.contiguous() for name, p in named if p.grad is not None}, type(self).file)


def options_of(method: str, accumulation: int) -> tuple[dict[str, Any], RunOptions]:
    kind = METHODS.load(method.partition("+")[0]).Method
    config = {"max_steps": 1, "batch_size": RECORDS // accumulation, "accumulation": accumulation, "retain_ratio": 1}
    config |= {"max_grad_norm": 0, "length_window": 1, "per_picture": 1}
    full = kind.needs_full
    return config | ({} if full else {"lora_dropout": 0.0}), RunOptions(full=full, device="cpu")


def run(model: str, data: Any, out: Path, accumulation: int, methods: list[str]) -> None:
    for method in methods:
        config, options = options_of(method, accumulation)
        out.mkdir(parents=True, exist_ok=True)
        Recording.file = out / f"{method}{f'-{process_number()}' if process_number() else ''}.safetensors"
        unlearn(method, model, None, data, "complete", config, out / "runs" / method, options)


def trained() -> list[str]:
    """All methods that are trained."""
    return [name for name in METHODS.names() if not issubclass(METHODS.load(name).Method, EditingMethod)]


trainer.Progress = Recording  # type: ignore[misc]

if __name__ == "__main__":
    model, data, out, accumulation, *methods = sys.argv[1:]
    run(model, data, Path(out), int(accumulation), methods)
