"""The one training loop: `transformers.Trainer` with our batches, for fine-tuning and all gradient methods.

Resumable after a kill at any point, with the same bits as an undisturbed run: the order of the
records is a function of the step (`batches`), checkpoints count only once they are complete, and
`transformers` restores optimizer, schedule and random state.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from offside_data.errors import UsageError
from offside_data.progress import process_number
from offside_data.seeding import rng
from offside_unlearn import ranks
from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.callbacks import AfterStep, Moved, Progress, TrainingError
from offside_unlearn.checkpoints import COMPLETE, Checkpoints, Schedule, has_own, last_checkpoint, trained_weights
from offside_unlearn.methods._base import LossOutput, UnlearningMethod
from offside_unlearn.reporting import reporting
from offside_unlearn.sharpness import SharpnessAware

__all__ = [
    "COMPLETE",
    "Objective",
    "Schedule",
    "TrainConfig",
    "TrainingError",
    "last_checkpoint",
    "require_shares",
    "train",
]

Objective = Callable[[Any, PairedBatch], LossOutput]
"""What is minimised: a function of the model and a batch."""

WEIGHTS = "trained.safetensors"
"""Name of the trained weights in a checkpoint."""

STATE = "method.safetensors"
"""Name of the method's state in a checkpoint, where it has one."""

_LARGEST = 1e30
"""What is larger becomes infinite in the 32 bits that AdamW calculates in, or can't be given to it at all."""


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
        for name in ("weight_decay", "max_grad_norm", "per_picture", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not 0 <= self.beta2 < 1:
            raise ValueError(f"beta2 must be at least 0 and below 1, got {self.beta2}")
        for name in ("lr", "weight_decay"):
            if getattr(self, name) > _LARGEST:
                raise ValueError(f"{name} must be at most {_LARGEST:g}, got {getattr(self, name)}")


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
    _refuse_what_we_dont_support(model, config)
    checkpoint = ranks.agreed(last_checkpoint(schedule.folder) if ranks.is_main() else None)
    if method is not None:
        method.ended = False
        _restore(method, checkpoint)
        model.eval()  # The dropout of a new adapter is on.
        method.begin(model, plan, seed)
    _start_alike(model, method)
    with reporting(schedule.report_to, schedule.logs or schedule.folder / "logs") as reporters:
        trainer = _Trainer(
            model=model,
            args=_arguments(model, plan, config, seed, schedule),
            train_dataset=plan,
            data_collator=plan.collate,
            callbacks=[Checkpoints(schedule, method), Moved(model), Progress(plan.steps), *reporters],
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
        if not ranks.is_main():  # Dropout of its own; a checkpoint puts each process's generator back.
            torch.manual_seed(rng(seed, "process", process_number()).getrandbits(63))
        trainer.train(resume_from_checkpoint=checkpoint)
    model.eval()
    if method is not None:
        method.ended = True
        method.finish(model)
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def _restore(method: UnlearningMethod[Any], checkpoint: str | None) -> None:
    if checkpoint is None:
        return
    file = Path(checkpoint) / STATE
    if not file.is_file() and method.state:  # It would go on from the beginning, unseen.
        raise TrainingError(f"{file} is missing: the checkpoint can't be gone on from. Start anew with --force.")
    if file.is_file():
        method.state.update({name: value.clone() for name, value in load_file(file).items()})  # Free of the file.


def _start_alike(model: Any, method: UnlearningMethod[Any] | None) -> None:
    """The weights and what a method has found out are the first process's in all: others' machines may round."""
    if ranks.count() > 1:
        state = method.state if method is not None else {}
        ranks.copy_from_main([*(p for _, p in trained_weights(model)), *(state[name] for name in sorted(state))])


def require_shares(config: TrainConfig) -> None:
    """Refuse micro-batches that can't be shared out to the processes.

    Raises:
        UsageError: If one would take more of a step than another.
    """
    processes = ranks.count()
    if config.accumulation % processes:
        records = config.batch_size * config.accumulation
        fitting = f" --set batch_size={records // processes}" if records % processes == 0 else ""
        raise UsageError(
            f"accumulation={config.accumulation} can't be shared out to {processes} processes: each takes as many of a "
            f"step's micro-batches as the others. Use a multiple of {processes}, e.g. --set accumulation={processes}"
            f"{fitting}."
        )


def _refuse_what_we_dont_support(model: Any, config: TrainConfig) -> None:
    require_shares(config)
    processes = ranks.count()
    device = next(model.parameters()).device
    own = ranks.local_number()
    if device.type == "cuda" and device.index not in (None, own):
        where = "the first GPU that it can see" if processes == 1 else f"GPU {own} in process {own}"
        raise UsageError(f"training runs on {where}, not on {device}: set CUDA_VISIBLE_DEVICES and use --device cuda.")
    if not any(p.requires_grad for p in model.parameters()):
        raise UsageError("no parameter is to be trained: --tune matches nothing.")


def _arguments(model: Any, plan: BatchPlan, config: TrainConfig, seed: int, schedule: Schedule) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(schedule.folder),
        use_cpu=next(model.parameters()).device.type == "cpu",
        max_steps=plan.steps,
        per_device_train_batch_size=1,  # One item of the plan, which is a whole micro-batch.
        gradient_accumulation_steps=config.accumulation // ranks.count(),
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
        report_to=[],  # `reporting` gives the callbacks.
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
        self._wrong: TrainingError | None = None
        self._method = method
        self._sharpness = SharpnessAware(sharpness, trained_weights(self.model)) if sharpness else None
        # Reading the terms waits for the device: only where it is needed.
        if method is not None and has_own(method, "after_step"):
            self.add_callback(AfterStep(method, self._means))

    def _means(self) -> dict[str, float]:
        """The mean of each loss term over the micro-batches since the last log, which is one optimizer step."""
        return {name: float(torch.stack(values).mean()) for name, values in self._terms.items()}

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        if ranks.count() > 1:  # Gradients are averaged here (`ranks` says why), so no wrapper is to do it.
            self.accelerator.prepare_model = functools.partial(self.accelerator.prepare_model, evaluation_mode=True)

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_size=1,
            sampler=self.train_dataset.share_of(process_number(), ranks.count()),
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
            self._wrong = self._wrong or self._not_finite(output, inputs)
            if ranks.count() == 1:
                raise self._wrong
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
            loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        else:
            model.train()
            loss = self._sharpness.backward(lambda batch: self._logged(model, batch), lambda b: self._checked(model, b))
        if ranks.count() > 1 and self.accelerator.sync_gradients:  # The last micro-batch of a step.
            self._share()
        return loss

    def _share(self) -> None:
        """Make the gradients and the loss terms of a step those of all processes."""
        for wrong in ranks.gathered(str(self._wrong) if self._wrong else None):
            if wrong is not None:
                raise TrainingError(wrong)
        ranks.average_gradients([parameter for _, parameter in trained_weights(self.model)])
        told = ranks.gathered({name: [float(value) for value in values] for name, values in self._terms.items()})
        names = dict.fromkeys(name for terms in told for name in terms)
        every = {name: [value for terms in told for value in terms.get(name, ())] for name in names}
        self._terms = {name: [torch.tensor(values).mean()] for name, values in every.items()}

    def _not_finite(self, output: LossOutput, inputs: PairedBatch) -> TrainingError:
        terms = ", ".join(f"{name} = {value.item():g}" for name, value in output.terms.items())
        records = [record for side in inputs.sides.values() for record in side.record_ids]
        return TrainingError(
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
        save_file({name: p.detach().contiguous() for name, p in trained_weights(self.model)}, folder / WEIGHTS)
        if self._method is not None and self._method.state:
            save_file(self._method.state, folder / STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        weights = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        with torch.no_grad():
            for name, parameter in trained_weights(self.model):
                parameter.copy_(weights.pop(name))
