"""What is looked at while training: that an adapter moves, what a method carries along, how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from offside_data.errors import OffsideError
from offside_data.progress import process_number
from offside_unlearn.manifest import terms_in_words
from offside_unlearn.methods import UnlearningMethod
from offside_unlearn.tune import tower_of


class TrainingError(OffsideError):
    """Training can't go on: a loss that isn't finite, or weights that don't move."""


class AfterStep(TrainerCallback):  # type: ignore[misc]
    """Let the method move its state once a step, however many micro-batches the step was made of.

    Args:
        method: By which is unlearned.
        means: Gives each loss term's mean over the step.
    """

    def __init__(self, method: UnlearningMethod[Any], means: Callable[[], dict[str, float]]) -> None:
        self._method = method
        self._means = means

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell the method what the terms of the step were."""
        self._method.after_step(self._means())


class Moved(TrainerCallback):  # type: ignore[misc]
    """Fail loudly when an adapter isn't trained at all, instead of saving one that does nothing.

    Args:
        model: Before the first step.
    """

    def __init__(self, model: Any) -> None:
        # lora_B starts at zero. One that is continued has moved already.
        self._waiting = {
            name: p for name, p in model.named_parameters() if "lora_B" in name and p.requires_grad and not p.any()
        }

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look whether the weights that were zero have moved."""
        if not self._waiting or kwargs["optimizer"].param_groups[0]["lr"] == 0:
            return
        # A vision tower gets no gradient from a batch without a picture: wait for one that has.
        self._waiting = {name: p for name, p in self._waiting.items() if not p.any()}
        stuck = [name for name in self._waiting if tower_of(name) == "language"]
        if stuck:
            raise TrainingError(_stuck(stuck))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Refuse to end with weights that never moved."""
        if self._waiting:
            raise TrainingError(_stuck(list(self._waiting)))


def _stuck(names: list[str]) -> str:
    return (
        f"{len(names)} adapter weights got no gradient (e.g. {names[0]}): training would change nothing "
        "there. If they belong to the vision tower, the records hold no picture: choose another --tune or "
        "other records."
    )


class Progress(TrainerCallback):  # type: ignore[misc]
    """A progress bar on stderr, if that is a terminal.

    Args:
        steps: How many there will be.
    """

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=console,
            disable=not console.is_terminal or process_number() > 0,
        )
        self._task = self._bar.add_task("training", total=steps, terms="")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the bar."""
        self._bar.start()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Move it on."""
        if logs and "loss" in logs:
            self._bar.update(self._task, completed=state.global_step, terms=terms_in_words(logs))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take it away."""
        self._bar.stop()
