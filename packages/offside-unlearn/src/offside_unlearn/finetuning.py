"""Fine-tune a model on splits of a dataset: base, vanilla and retain-only models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.donors import DonorRow, write_donors
from offside_data.errors import DatasetError
from offside_data.plugins import require_known
from offside_data.schema import CONFIGS, SPLITS
from offside_data.seeding import draw_records
from offside_data.vlm import Augment, Collator, Encoder
from offside_unlearn.batches import BatchPlan, ExampleSource, PairedBatch, Stream, count_steps, encode_rows, say_cut
from offside_unlearn.engine import Job, Phase, PreparedTraining, configs_of, dataset_facts, execute
from offside_unlearn.methods._base import LossOutput, answer_loss
from offside_unlearn.options import LEARNT, RunOptions, build_configs
from offside_unlearn.runs import Run
from offside_unlearn.start import Start, Trainable, check_lora, find_start
from offside_unlearn.trainer import TrainConfig
from offside_unlearn.tune import LoraOptions

ROLES = ("base", "vanilla", "retain_only")
"""What a fine-tuned model is for."""


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TrainConfig):
    """As `TrainConfig`; defaults of the published fine-tuning.

    Args:
        lr: source: code (OFFSIDE: 1e-4).
        epochs: source: code (OFFSIDE: 8).
        batch_size: source: code (OFFSIDE: 4 x 4).
        rehearsal: Records of the split `general`, drawn by seed, at most: enough that what the model it starts from
            knew isn't lost over what is learnt. Null = all. source: ours.
    """

    lr: float = 1e-4
    epochs: float = 8.0
    batch_size: int = 16
    rehearsal: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no training can do."""
        super().__post_init__()
        if self.rehearsal is not None and self.rehearsal < 1:
            raise ValueError(f"rehearsal is a number of records, at least 1, or null for all, got {self.rehearsal}")


def finetune(
    model: Any,
    processor: Any,
    data: str | Path | OffsideDataset,
    config: Mapping[str, Any] | None,
    out: str | Path,
    *,
    splits: Sequence[str] = LEARNT,
    configs: Sequence[str] = CONFIGS,
    role: str | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Teach a model the records of some splits.

    Args:
        model: A path, a Hub id, or a loaded model.
        processor: Of a loaded model; null with a path.
        data: A dataset or a reference to one.
        config: Options of `FinetuneConfig` and `LoraOptions` that differ from the defaults.
        out: The run folder.
        splits: What to learn.
        configs: `multimodal`, `text` or both.
        role: `base`, `vanilla` or `retain_only`; null = by what it has learnt, now and before:
            `forget` makes it vanilla, else `retain` retain-only, else base.
        options: The rest.

    Raises:
        UsageError: If a split or role is unknown.
        DatasetError: If the dataset has no records of these splits and configs.
    """
    dataset, start = opened(data), find_start(model, processor)
    options = options or RunOptions()
    train_config, lora = build_configs(config or {}, FinetuneConfig, LoraOptions)
    check_lora(start, options, config or {})
    parts = record_parts(dataset, splits, configs)
    learnt = sorted({*start.trained_on, *parts})
    role = role or _role(learnt)
    require_known("role", [role], ROLES)
    identity = {"command": "finetune", "role": role, "trained_on": learnt}
    title = f"{role.replace('_', '-')} model of {dataset.name}"
    rows = {part: dataset.records(*part.split("/")) for part in parts}
    task = FinetuneTask(dataset, rows, train_config, lora, options)
    return execute(task.job(title, start, Path(out), identity))


def opened(data: str | Path | OffsideDataset) -> OffsideDataset:
    """A dataset, opened unless it is open, whose data is what its card says: checked in either case.

    Raises:
        DigestMismatchError: If it isn't; the run's manifest would name data that it never saw.
    """
    dataset = data if isinstance(data, OffsideDataset) else open_dataset(data)
    dataset.verify()
    return dataset


@dataclass(frozen=True)
class FinetuneTask:
    """What is to be learnt, records by `config/split`, and how; `donors` were the start's, and go with it."""

    dataset: OffsideDataset
    rows: Mapping[str, Any]
    config: FinetuneConfig
    lora: LoraOptions
    options: RunOptions
    donors: Sequence[DonorRow] = ()

    def job(self, title: str, start: Start, out: Path, identity: Mapping[str, Any], curve: tuple[int, ...] = ()) -> Job:
        """The run that teaches it."""
        nothing: dict[str, Any] = {"method": None, "setting": None, "only": [], "forget": None}
        return Job(
            title=title,
            start=start,
            out=out,
            identity={
                **nothing,
                **identity,
                "parts": list(self.rows),
                "config": configs_of(self.config),
                "dataset": dataset_facts(self.dataset),
            },
            lora=self.lora,
            options=self.options,
            phases=(Phase(config=self.config, prepare=self._prepare),),
            curve=curve,
        )

    def _prepare(self, trainable: Trainable, processor: Any, folder: Path) -> PreparedTraining:
        config, seed = self.config, self.options.seed
        if self.donors:
            write_donors(folder, self.donors)
        encoder = Encoder(processor, max_length=config.max_length, cut=config.cut_long)
        examples = []
        for part, whole in self.rows.items():
            rows = limited(whole, self.options)
            if part.endswith("/general"):
                rows = _drawn(rows, config.rehearsal, seed)
            examples += encode_rows(encoder, rows, f"{part} records")
        say_cut(encoder)
        step_size = config.batch_size * config.accumulation
        stream = Stream(
            examples,
            seed=seed,
            name="train",
            per_picture=config.per_picture,
            batch=step_size,
            stretch=config.length_window * step_size,
        )
        steps = count_steps(len(examples), batch_size=step_size, epochs=config.epochs, max_steps=config.max_steps)
        plan = BatchPlan(
            {"train": ExampleSource(examples, stream, config.batch_size)},
            steps=steps,
            accumulation=config.accumulation,
            collator=Collator(processor, augment=Augment(seed=seed) if config.augment else None),
        )
        return PreparedTraining(plan, _likelihood, {"reference": None, "records_trained_on": len(examples)})


def _likelihood(model: Any, batch: PairedBatch) -> LossOutput:
    """Plain fine-tuning: the cross-entropy of the answers."""
    return LossOutput(answer_loss(model, batch.side("train")), {})


def limited(rows: Any, options: RunOptions) -> Any:
    """The records of a `datasets.Dataset` that `options.limit` leaves, drawn by seed."""
    return _drawn(rows, options.limit, options.seed)


def _drawn(rows: Any, most: int | None, seed: int) -> Any:
    return rows if most is None else rows.select(draw_records(rows["record_id"], most, seed=seed))


def record_parts(dataset: OffsideDataset, splits: Sequence[str], configs: Sequence[str]) -> list[str]:
    """The record files (`config/split`) of some splits that a dataset has.

    Raises:
        UsageError: If a split or config is unknown.
        DatasetError: If one of the splits has no records.
    """
    require_known("split", splits, SPLITS)
    require_known("config", configs, CONFIGS)
    parts = [f"{c}/{s}" for s in splits for c in configs if dataset.has(c, s)]
    for split in splits:
        if not any(part.endswith(f"/{split}") for part in parts):
            raise DatasetError(
                f"{dataset.path}: no {split!r} records in {' or '.join(configs)}; "
                f"there is: {', '.join(dataset.record_parts())}."
            )
    return parts


def _role(learnt: Sequence[str]) -> str:
    splits = {part.split("/")[1] for part in learnt}
    return "vanilla" if "forget" in splits else "retain_only" if "retain" in splits else "base"
