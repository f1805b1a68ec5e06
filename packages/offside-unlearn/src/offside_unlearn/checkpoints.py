"""What is written while training, and when: checkpoints by the clock, points of a curve by the step."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from offside_unlearn import ranks
from offside_unlearn.methods import UnlearningMethod
from offside_unlearn.options import RunOptions

COMPLETE = "complete"
"""Name of the empty file that a checkpoint gets last: without it the checkpoint is never used."""


@dataclass(frozen=True)
class Schedule:
    """When to write what while training; nothing but `stop` changes the result.

    Args:
        folder: For checkpoints.
        checkpoint_seconds: At least so long between two checkpoints.
        save_at: After these steps `save` is called, for curves.
        save: Called with the model and the step, in the first process only.
        stop: Called after `save`; training ends where it says so. What it says depends on the weights alone, so
            that a resumed training ends at the same step.
        saved: Called after each checkpoint, in the first process only.
        report_to: Where the numbers go besides, one of `reporting.REPORTERS`.
        logs: For what that writes; null = in `folder`.
    """

    folder: Path
    checkpoint_seconds: float = RunOptions.checkpoint_seconds
    save_at: Sequence[int] = ()
    save: Callable[[Any, int], None] | None = None
    stop: Callable[[Any, int], bool] | None = None
    saved: Callable[[], None] | None = None
    report_to: str = RunOptions.report_to
    logs: Path | None = None


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint in `folder`; incomplete ones are deleted."""
    complete = []
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).is_file():
            complete.append(path)
        else:
            shutil.rmtree(path)
    return str(max(complete, key=lambda path: int(path.name.split("-")[1]))) if complete else None


def has_own(method: UnlearningMethod[Any], hook: str) -> bool:
    """Whether a method does something where most do nothing."""
    return getattr(type(method), hook) is not getattr(UnlearningMethod, hook)


def trained_weights(model: Any) -> list[tuple[str, torch.nn.Parameter]]:
    """What is trained of a model, by name."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


@contextlib.contextmanager
def _finished(model: Any, method: UnlearningMethod[Any] | None) -> Iterator[None]:
    """Inside, the model is what a run that ended here would leave; afterwards it is what it was, to the bit."""
    if method is None or not has_own(method, "finish"):  # A copy of the weights would be for nothing.
        yield
        return
    kept = {name: p.detach().clone() for name, p in trained_weights(model)}
    method.finish(model)
    yield
    with torch.no_grad():
        for name, parameter in trained_weights(model):
            parameter.copy_(kept[name])


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Save by the clock, mark what is complete, save what a curve needs, and stop where it has reached its end.

    Args:
        schedule: What is written when.
        method: By which is unlearned.
    """

    def __init__(self, schedule: Schedule, method: UnlearningMethod[Any] | None) -> None:
        self._schedule = schedule
        self._method = method
        self._last = time.monotonic()
        self._cost = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Save a point of the curve, and say whether a checkpoint is due."""
        if state.global_step in self._schedule.save_at and self._schedule.save is not None:
            stop = False
            with _finished(kwargs["model"], self._method):
                if ranks.is_main():
                    self._schedule.save(kwargs["model"], state.global_step)
                if self._schedule.stop is not None:
                    stop = ranks.agreed(self._schedule.stop(kwargs["model"], state.global_step))
            if stop:
                control.should_training_stop = True
                return control  # Without a checkpoint: one at this step would be gone on from.
        # Checkpoints may cost a twentieth of the time, however large the model is.
        wait = max(self._schedule.checkpoint_seconds, 20 * self._cost)
        if ranks.agreed(time.monotonic() - self._last >= wait) and state.global_step < state.max_steps:
            control.should_save = True
            self._last = time.monotonic()
        return control

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as complete, once each process has written its part."""
        ranks.wait()
        if ranks.is_main():
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            for path in folder.iterdir():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
            (folder / COMPLETE).touch()
            if self._schedule.saved is not None:
                self._schedule.saved()
        self._cost = time.monotonic() - self._last
        self._last = time.monotonic()
