"""What a run would do, before any weight is loaded: records, tokens, steps, what is trained, how much memory."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.vlm import Encoded, Encoder, load_processor
from offside_unlearn.batches import Needs
from offside_unlearn.methods import EditingMethod
from offside_unlearn.options import RunOptions
from offside_unlearn.quiet import quietly
from offside_unlearn.start import check_lora, check_tune, find_start, make_trainable, manifest_of, skeleton
from offside_unlearn.task import UnlearnTask
from offside_unlearn.unlearning import plan_run

MIB = 2**20
UNLIMITED = 2**31 - 1

ACTIVATION_BYTES = 17
"""Numbers that a layer keeps for the way back, for each token and each of its width: 34 bytes in 16 bits, without the
attention's own (which isn't kept by the kernels of today). Korthikanti et al., Reducing Activation Recomputation in
Large Transformer Models, 2205.05198, equation 1."""


QUANTIZED_BYTES = 0.516
"""Of a number in 4 bits: half a byte, a byte for each block of 64, four for each 256 of these. Dettmers et al., QLoRA,
2305.14314, section 3."""


@dataclass(frozen=True)
class SidePlan:
    """Records of one side of a step.

    Args:
        records: How many there are.
        batch: How many a micro-batch takes; 0 where only the frozen model reads them.
        pictures: Distinct pictures among them.
        tokens: Their lengths with picture and answer: median, 95th percentile, longest.
        answer_tokens: Those that are learnt from, likewise.
        too_long: How many are longer than `max_length`; a run would stop at the first one. With `cut_long` those of
            which nothing of the answer would be left.
        cut: How many `cut_long` would cut; their lengths here are those that are left.
    """

    records: int
    batch: int
    pictures: int
    tokens: tuple[int, int, int]
    answer_tokens: tuple[int, int, int]
    too_long: int
    cut: int = 0


@dataclass(frozen=True)
class PhasePlan:
    """One training of a run.

    Args:
        steps: Optimizer steps.
        accumulation: Micro-batches a step.
        sides: By name.
    """

    steps: int
    accumulation: int
    sides: Mapping[str, SidePlan]


@dataclass(frozen=True)
class RunPlan:
    """What a run would do.

    Args:
        method: The method.
        setting: What it would forget.
        family: Of the model.
        parts: What is trained in each tower: modules, weights, and the tower's own weights.
        tune: What is trained: a preset's name or a regex.
        phases: Its trainings.
        memory: MiB by what takes it; an estimate, without what the libraries themselves take.
        dtype: Type of the weights.
        quantization: What the base model's linear layers are kept as; null = `dtype`.
        activation_checkpointing: Whether activations are computed twice, which saves memory.
    """

    method: str
    setting: str
    family: str
    parts: Mapping[str, Mapping[str, int]]
    tune: str
    phases: Sequence[PhasePlan]
    memory: Mapping[str, float]
    dtype: str
    quantization: str | None
    activation_checkpointing: bool

    @property
    def total(self) -> float:
        """MiB, all together."""
        return sum(self.memory.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "memory_total": self.total}


def plan(
    method: str,
    model: str | Path,
    data: str | Path | OffsideDataset,
    setting: str,
    config: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
) -> RunPlan:
    """Say what `unlearn` would do with the same arguments. All records are read; no weight is.

    Raises:
        UsageError: As `unlearn` would.
        ModelError: If the model's configuration or processor can't be read.
    """
    options = options or RunOptions()
    asked = plan_run(method, data, setting, config, options, before=manifest_of(model))
    start, first = find_start(str(model), digest=_unread), asked.tasks[0]
    check_lora(start, options, config or {}, first.method)
    check_tune(start, options, first.method)
    with torch.device("meta"), quietly():
        trainable = make_trainable(skeleton(start, options), start, options, asked.lora, first.method)
    encoder = Encoder(load_processor(start.path, max_pixels=options.max_pixels), max_length=UNLIMITED)
    phases = [_phase(task, encoder) for task in asked.tasks]
    memory = memory_needed(
        trainable.model,
        phases,
        fresh_adapter=trainable.fresh_adapter,
        needs=[task.method.needs() for task in asked.tasks],
        checkpointing=first.config.activation_checkpointing,
        trains=not isinstance(first.method, EditingMethod),
        quantized=options.quantization is not None,
    )
    family = str(trainable.model.config.model_type)
    stored = (options.dtype, options.quantization, first.config.activation_checkpointing)
    return RunPlan(method, setting, family, trainable.parts, trainable.tune, phases, memory, *stored)


def _quantizable(model: Any) -> list[torch.Tensor]:
    """The weights that would be kept in 4 bits: of linear layers, but for adapters and the last one."""
    layers = [
        layer for name, layer in model.named_modules() if type(layer) is torch.nn.Linear and "lm_head" not in name
    ]
    return [layer.weight for layer in layers if not layer.weight.requires_grad]


def _unread(path: str) -> str:
    """No digest: to read gigabytes of weights for it would take longer than all the rest."""
    return ""


def _phase(task: UnlearnTask, encoder: Encoder) -> PhasePlan:
    with tempfile.TemporaryDirectory() as folder:
        own, examples = task.encode(encoder, Path(folder))
    sizes = task.batch_sizes(own, examples)
    limit, cut = task.config.max_length, task.config.cut_long
    sides = {side: _side(encoded, sizes.get(side, 0), limit, cut=cut) for side, encoded in examples.items()}
    steps = task.steps_of(len(examples.get("forget", task.forget)))
    return PhasePlan(steps, task.config.accumulation, sides)


def _side(examples: Sequence[Encoded], batch: int, limit: int, *, cut: bool) -> SidePlan:
    whole = np.array([(len(example.input_ids), example.prompt_length) for example in examples])
    long, cuttable = whole[:, 0] > limit, cut & (whole[:, 1] < limit)
    lengths = np.where(long & cuttable, limit, whole[:, 0])
    pictures = {example.image_key for example in examples if example.image_key}
    spreads = _spread(lengths), _spread(lengths - whole[:, 1])
    too_long, shortened = int((long & ~cuttable).sum()), int((long & cuttable).sum())
    return SidePlan(len(examples), batch, len(pictures), *spreads, too_long, shortened)


def _spread(values: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    median, high = np.percentile(values, [50, 95], method="higher")
    return int(median), int(high), int(values.max())


def memory_needed(
    model: Any,
    phases: Sequence[PhasePlan],
    *,
    fresh_adapter: bool,
    needs: Sequence[Needs],
    checkpointing: bool,
    trains: bool = True,
    quantized: bool = False,
) -> dict[str, float]:
    """Estimate the memory of a run.

    Args:
        model: What is trained; it may have no weights.
        phases: Its trainings.
        fresh_adapter: Whether the frozen model is the model with its adapter off.
        needs: What the method of each training reads.
        checkpointing: Whether activations are computed twice.
        trains: Whether there are gradients at all.
        quantized: Whether the linear layers of the base model are kept in 4 bits.

    Returns:
        MiB by what takes it. `activations` are those of the language model in the largest micro-batch, `logits` those
        of its answer tokens (three copies: logits, log-probabilities, gradient).
    """
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if quantized:
        weights -= sum(p.numel() * (p.element_size() - QUANTIZED_BYTES) for p in _quantizable(model))
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    text = model.config.get_text_config()
    tokens = max((sum(s.batch * s.tokens[2] for s in phase.sides.values()) for phase in phases), default=0)
    answers = max((sum(s.batch * s.answer_tokens[1] for s in phase.sides.values()) for phase in phases), default=0)
    size = next(p.element_size() for p in model.parameters())
    width, layers = text.hidden_size, text.num_hidden_layers
    kept = (layers + ACTIVATION_BYTES) if checkpointing else layers * ACTIVATION_BYTES
    copies = any(need.frozen_model or need.token_reference or need.top_reference for need in needs)
    found = {
        "weights": weights,
        "gradients": trained if trains else 0,
        "optimizer": 2 * trained if trains else 0,
        "frozen weights": trained if copies and not fresh_adapter else 0,
        "activations": tokens * width * kept * size if trains else 0,
        "logits": 3 * answers * text.vocab_size * 4,
    }
    return {what: number / MIB for what, number in found.items() if number}
