"""The one training loop: `transformers.Trainer` with our batches, for fine-tuning and all gradient methods.

Resumable after a kill at any point, with the same bits as an undisturbed run: the order of the
records is a function of the step (`batches`), checkpoints count only once they are complete, and
`transformers` restores optimizer, schedule and random state.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from offside_data.errors import OffsideError, UsageError
from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.manifest import terms_in_words
from offside_unlearn.methods._base import LossOutput, UnlearningMethod
from offside_unlearn.options import RunOptions
from offside_unlearn.sharpness import SharpnessAware
from offside_unlearn.tune import tower_of

Objective = Callable[[Any, PairedBatch], LossOutput]
"""What is minimised: a function of the model and a batch."""

WEIGHTS = "trained.safetensors"
"""Name of the trained weights in a checkpoint."""

STATE = "method.safetensors"
"""Name of the method's state in a checkpoint, where it has one."""

COMPLETE = "complete"
"""Name of the empty file that a checkpoint gets last: without it the checkpoint is never used."""


class TrainingError(OffsideError):
    """Training can't go on: a loss that isn't finite, or weights that don't move."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long, how fast and in which batches; the defaults are those of `offside-unlearn run`.

    Args:
        lr: Peak learning rate of AdamW. source: code (1e-5 in the NPO reference code; OFFSIDE: 2e-5 to 5e-5).
        epochs: Passes over the records to be forgotten (or learnt). source: code (10).
        max_steps: Optimizer steps instead of epochs.
        batch_size: Records to be forgotten (or learnt) in a micro-batch. source: ours.
        accumulation: Micro-batches an optimizer step. source: ours.
        schedule: Of the learning rate after the warm-up. source: code (linear).
        warmup: Share of the steps in which the learning rate rises from 0. source: code (OFFSIDE: 0.05 or 0).
        weight_decay: Of AdamW. source: ours (0; the OFFSIDE grad_diff script 0.01).
        beta2: Of AdamW. source: transformers.
        max_grad_norm: Longer gradients are clipped; 0 = never. source: transformers (1).
        max_length: Tokens a record may have; a longer one is an error, unless `cut_long`. source: ours (the OFFSIDE
            scripts use 128 or 384, and cut).
        cut_long: Cut a longer record, so that the end of its answer isn't learnt: only to repeat what was published.
            source: ours.
        per_picture: How many questions of one picture stand together in a batch; 0 = all. source: ours.
        length_window: Within so many batches, records of similar length come together; 1 = not at all.
            source: ours.
        augment: Shift, scale and light each picture at random, anew each epoch. source: ours.
        workers: Processes that prepare batches; 0 = the main one.
        activation_checkpointing: Save memory by computing activations twice.
    """

    lr: float = 1e-5
    epochs: float = 10.0
    max_steps: int | None = None
    batch_size: int = 8
    accumulation: int = 1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.0
    weight_decay: float = 0.0
    beta2: float = 0.999
    max_grad_norm: float = 1.0
    max_length: int = 512
    cut_long: bool = False
    per_picture: int = 4
    length_window: int = 4
    augment: bool = False
    workers: int = 0
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        """Refuse what no training can do."""
        for name in ("lr", "epochs", "batch_size", "accumulation", "max_length", "length_window"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.max_steps is not None and self.max_steps <= 0:
            raise ValueError(f"max_steps must be positive, got {self.max_steps}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, at least 0 and below 1, got {self.warmup}")


@dataclass(frozen=True)
class Schedule:
    """When to write what while training; nothing but `stop` changes the result.

    Args:
        folder: For checkpoints.
        checkpoint_seconds: At least so long between two checkpoints.
        save_at: After these steps `save` is called, for curves.
        save: Called with the model and the step.
        stop: Called after `save`; training ends where it says so. What it says depends on the weights alone, so
            that a resumed training ends at the same step.
        saved: Called after each checkpoint.
    """

    folder: Path
    checkpoint_seconds: float = RunOptions.checkpoint_seconds
    save_at: Sequence[int] = ()
    save: Callable[[Any, int], None] | None = None
    stop: Callable[[Any, int], bool] | None = None
    saved: Callable[[], None] | None = None


def train(
    model: Any,
    plan: BatchPlan,
    objective: Objective,
    config: TrainConfig,
    seed: int,
    schedule: Schedule,
    method: UnlearningMethod[Any] | None = None,
    *,
    sharpness: float = 0.0,
) -> list[dict[str, float]]:
    """Train the parameters of `model` that require gradients, going on from the last complete checkpoint.

    Args:
        model: Changed in place; left in eval mode.
        plan: All batches.
        objective: The loss.
        config: How.
        seed: Of dropout; the order of the records has its own in `plan`.
        schedule: When to write checkpoints.
        method: What it asks for before the first step, after each and at the end is done; its state is saved with each
            checkpoint, if it has one.
        sharpness: How far from the weights the gradient of the forgetting part is taken, see `SharpnessAware`; 0 = at
            the weights, as usual.

    Returns:
        For each step its number, loss, loss terms, gradient norm and learning rate.

    Raises:
        TrainingError: If the loss isn't finite, or adapter weights don't move.
    """
    _refuse_what_we_dont_support(model)
    checkpoint = last_checkpoint(schedule.folder)
    if method is not None:
        method.ended = False
        _restore(method, checkpoint)
        model.eval()  # The dropout of a new adapter is on.
        method.begin(model, plan, seed)
    trainer = _Trainer(
        model=model,
        args=_arguments(model, plan, config, seed, schedule),
        train_dataset=plan,
        data_collator=plan.collate,
        callbacks=[_Checkpoints(schedule, method), _Moved(model), _Progress(plan.steps)],
        method=method,
        sharpness=sharpness,
        optimizer_cls_and_kwargs=(
            torch.optim.AdamW,
            {"lr": config.lr, "betas": (0.9, config.beta2), "eps": 1e-8, "fused": True},
        ),
    )
    trainer.objective = objective
    trainer.remove_callback(PrinterCallback)
    if config.activation_checkpointing:
        model.enable_input_require_grads()
    trainer.train(resume_from_checkpoint=checkpoint)
    model.eval()
    if method is not None:
        method.ended = True
        method.finish(model)
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint in `folder`; incomplete ones are deleted."""
    complete = []
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).is_file():
            complete.append(path)
        else:
            shutil.rmtree(path)
    return str(max(complete, key=lambda path: int(path.name.split("-")[1]))) if complete else None


def _restore(method: UnlearningMethod[Any], checkpoint: str | None) -> None:
    if checkpoint is None:
        return
    file = Path(checkpoint) / STATE
    if not file.is_file() and method.state:  # It would go on from the beginning, unseen.
        raise TrainingError(f"{file} is missing: the checkpoint can't be gone on from. Start anew with --force.")
    if file.is_file():
        method.state.update({name: value.clone() for name, value in load_file(file).items()})  # Free of the file.


def _has_own(method: UnlearningMethod[Any], hook: str) -> bool:
    return getattr(type(method), hook) is not getattr(UnlearningMethod, hook)


def _trained(model: Any) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


@contextlib.contextmanager
def _finished(model: Any, method: UnlearningMethod[Any] | None) -> Iterator[None]:
    """Inside, the model is what a run that ended here would leave; afterwards it is what it was, to the bit."""
    if method is None or not _has_own(method, "finish"):  # A copy of the weights would be for nothing.
        yield
        return
    kept = {name: p.detach().clone() for name, p in _trained(model)}
    method.finish(model)
    yield
    with torch.no_grad():
        for name, parameter in _trained(model):
            parameter.copy_(kept[name])


def _refuse_what_we_dont_support(model: Any) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("training runs in one process on one device; start it without torchrun or accelerate launch.")
    device = next(model.parameters()).device
    if device.type == "cuda" and device.index not in (None, 0):
        raise UsageError(
            f"training runs on the first GPU that it can see, not on {device}: "
            f"set CUDA_VISIBLE_DEVICES={device.index} and use --device cuda."
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise UsageError("no parameter is to be trained: --tune matches nothing.")


def _arguments(model: Any, plan: BatchPlan, config: TrainConfig, seed: int, schedule: Schedule) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(schedule.folder),
        use_cpu=next(model.parameters()).device.type == "cpu",
        max_steps=plan.steps,
        per_device_train_batch_size=1,  # One item of the plan, which is a whole micro-batch.
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.lr,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=round(config.warmup * plan.steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        activation_checkpointing=config.activation_checkpointing,
        seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # _Checkpoints decides by the clock.
        save_total_limit=2,
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        dataloader_num_workers=config.workers,
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # Several visible GPUs would mean DataParallel.
    return arguments


class _Trainer(Trainer):  # type: ignore[misc]
    """Only what differs from the stock trainer: whole pairs of batches, our loss, its terms in the log."""

    # Our losses are means over the micro-batch, so the trainer divides by the accumulation steps.
    loss_is_scaled_for_ga = False
    objective: Objective

    def __init__(self, *, method: UnlearningMethod[Any] | None, sharpness: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._terms: dict[str, list[torch.Tensor]] = {}
        self._method = method
        self._sharpness = SharpnessAware(sharpness, _trained(self.model)) if sharpness else None
        # Reading the terms waits for the device: only where it is needed.
        if method is not None and _has_own(method, "after_step"):
            self.add_callback(_AfterStep(method, self._means))

    def _means(self) -> dict[str, float]:
        """The mean of each loss term over the micro-batches since the last log, which is one optimizer step."""
        return {name: float(torch.stack(values).mean()) for name, values in self._terms.items()}

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_size=1,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            # Its own generator: starting the loader must not draw from the one that dropout uses.
            generator=torch.Generator().manual_seed(0),
        )

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> None:
        """Nothing to count: a `Side` carries its divisors."""

    def _prepare_inputs(self, inputs: PairedBatch) -> PairedBatch:
        return inputs.to(self.args.device)

    def _prepare_context_parallel_inputs(self, model: Any, inputs: PairedBatch) -> tuple[Any, PairedBatch]:
        return contextlib.nullcontext, inputs

    def floating_point_ops(self, inputs: PairedBatch) -> int:
        return 0

    def compute_loss(
        self, model: Any, inputs: PairedBatch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        return self._logged(model, inputs).loss

    def _checked(self, model: Any, inputs: PairedBatch) -> LossOutput:
        output = self.objective(model, inputs)
        if not bool(torch.isfinite(output.loss)):
            self._stop(output, inputs)
        return output

    def _logged(self, model: Any, inputs: PairedBatch) -> LossOutput:
        output = self._checked(model, inputs)
        for name, value in output.terms.items():
            self._terms.setdefault(name, []).append(value.detach())
        return output

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self._sharpness is not None:
            self._sharpness.begin([batch.to(self.args.device) for batch in batches])
        return batches, count

    def training_step(self, model: Any, inputs: PairedBatch, num_items_in_batch: Any = None) -> torch.Tensor:
        if self._sharpness is None:
            usual: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
            return usual
        model.train()
        return self._sharpness.backward(lambda batch: self._logged(model, batch), lambda b: self._checked(model, b))

    def _stop(self, output: LossOutput, inputs: PairedBatch) -> None:
        terms = ", ".join(f"{name} = {value.item():g}" for name, value in output.terms.items())
        records = [record for side in inputs.sides.values() for record in side.record_ids]
        raise TrainingError(
            f"step {self.state.global_step + 1}: the loss is {output.loss.item():g} ({terms}), so training "
            f"stops; the batch held {', '.join(records[:3])}{' and others' if len(records) > 3 else ''}. "
            "A smaller lr, fewer steps or --dtype float32 are the usual ways out."
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs.update(self._means())
        self._terms = {}
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write the trained weights, by their names in the running model.

        `save_pretrained` writes some families under the names of older checkpoints, and the stock
        trainer then resumes with none of them and only a warning.
        """
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: p.detach().contiguous() for name, p in _trained(self.model)}, folder / WEIGHTS)
        if self._method is not None and self._method.state:
            save_file(self._method.state, folder / STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        weights = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        with torch.no_grad():
            for name, parameter in _trained(self.model):
                parameter.copy_(weights.pop(name))


class _AfterStep(TrainerCallback):  # type: ignore[misc]
    """Let the method move its state once a step, however many micro-batches the step was made of."""

    def __init__(self, method: UnlearningMethod[Any], means: Callable[[], dict[str, float]]) -> None:
        self._method = method
        self._means = means

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._method.after_step(self._means())


class _Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Save by the clock, mark what is complete, save what a curve needs, and stop where it has reached its end."""

    def __init__(self, schedule: Schedule, method: UnlearningMethod[Any] | None) -> None:
        self._schedule = schedule
        self._method = method
        self._last = time.monotonic()
        self._cost = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        if state.global_step in self._schedule.save_at and self._schedule.save is not None:
            stop = False
            with _finished(kwargs["model"], self._method):
                self._schedule.save(kwargs["model"], state.global_step)
                if self._schedule.stop is not None:
                    stop = self._schedule.stop(kwargs["model"], state.global_step)
            if stop:
                control.should_training_stop = True
                return control  # Without a checkpoint: one at this step would be gone on from.
        # Checkpoints may cost a twentieth of the time, however large the model is.
        wait = max(self._schedule.checkpoint_seconds, 20 * self._cost)
        if time.monotonic() - self._last >= wait and state.global_step < state.max_steps:
            control.should_save = True
            self._last = time.monotonic()
        return control

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        for path in folder.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        (folder / COMPLETE).touch()
        if self._schedule.saved is not None:
            self._schedule.saved()
        self._cost = time.monotonic() - self._last
        self._last = time.monotonic()


class _Moved(TrainerCallback):  # type: ignore[misc]
    """Fail loudly when an adapter isn't trained at all, instead of saving one that does nothing."""

    def __init__(self, model: Any) -> None:
        # lora_B starts at zero. One that is continued has moved already.
        self._waiting = {
            name: p for name, p in model.named_parameters() if "lora_B" in name and p.requires_grad and not p.any()
        }

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self._waiting or kwargs["optimizer"].param_groups[0]["lr"] == 0:
            return
        # A vision tower gets no gradient from a batch without a picture: wait for one that has.
        self._waiting = {name: p for name, p in self._waiting.items() if not p.any()}
        stuck = [name for name in self._waiting if tower_of(name) == "language"]
        if stuck:
            raise TrainingError(_stuck(stuck))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._waiting:
            raise TrainingError(_stuck(list(self._waiting)))


def _stuck(names: list[str]) -> str:
    return (
        f"{len(names)} adapter weights got no gradient (e.g. {names[0]}): training would change nothing "
        "there. If they belong to the vision tower, the records hold no picture: choose another --tune or "
        "other records."
    )


class _Progress(TrainerCallback):  # type: ignore[misc]
    """A progress bar on stderr, if that is a terminal."""

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
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, terms="")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.start()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._bar.update(self._task, completed=state.global_step, terms=terms_in_words(logs))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.stop()
