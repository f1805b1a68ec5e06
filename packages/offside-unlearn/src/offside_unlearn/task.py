"""A request put to a method: which records stand on which side, in which batches, with which frozen reference."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.request import Request
from offside_data.run_manifest import HeldOut
from offside_data.seeding import rng
from offside_data.taxonomy import Taxonomy
from offside_data.vlm import Augment, Collator, Encoded, Encoder
from offside_unlearn import reference as references
from offside_unlearn.batches import (
    BatchPlan,
    ExampleSource,
    Interleaved,
    Needs,
    Stream,
    count_steps,
    encode_rows,
    say_cut,
)
from offside_unlearn.engine import Phase, PreparedTraining
from offside_unlearn.finetuning import limited
from offside_unlearn.methods import EditingMethod, UnlearningMethod
from offside_unlearn.options import RunOptions
from offside_unlearn.sides import RequestRecords, SideRecords
from offside_unlearn.start import Trainable
from offside_unlearn.trainer import TrainConfig
from offside_unlearn.validation import ValidationConfig, ValidationPart, Watch, parse_until


@dataclass(frozen=True, kw_only=True)
class UnlearnConfig(TrainConfig):
    """As `TrainConfig`, and what is paired with the records to be forgotten.

    Args:
        retain_ratio: Records that must stay for each record to be forgotten, in every batch.
            source: code (OFFSIDE: 3).
        retain_slices: What must stay while training, e.g. `multimodal/retain`,
            `multimodal/forget/shared`, or `rest` (what `only` left out). Empty: the retain split, in
            the form (multimodal, text) of what is forgotten, unless the method's page says otherwise.
            source: paper.
    """

    retain_ratio: int = 3
    retain_slices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a ratio that leaves no retain batch."""
        super().__post_init__()
        if self.retain_ratio < 1:
            raise ValueError(f"retain_ratio must be at least 1, got {self.retain_ratio}")


@dataclass(frozen=True)
class Watched:
    """The validation part of a run, and how the run stops by it.

    Args:
        until: What it is to reach, `forgetting=LEVEL`; null if it doesn't stop by itself.
        held_out: The part.
        tables: Where its records are.
        taxonomy: How values are read.
        config: The rest.
    """

    until: str | None
    held_out: HeldOut
    tables: Sequence[Any]
    taxonomy: Taxonomy
    config: ValidationConfig

    def identity(self) -> dict[str, Any]:
        """What of it decides the run's result, for the manifest."""
        part = self.held_out
        ids = {"forget": list(part.forget), "retain": list(part.retain), "seed": part.seed}
        return {**({"until": self.until} if self.until else {}), "validation": ids}

    def part(self, encoder: Encoder) -> ValidationPart:
        """What is asked."""
        return ValidationPart.of(self.held_out, self.tables, encoder, self.taxonomy, self.config)

    def watch(self, encoder: Encoder, folder: Path) -> Watch | None:
        """What looks at the run; null if nothing does."""
        if self.until is None:
            return None
        return Watch(self.part(encoder), level=parse_until(self.until), config=self.config, folder=folder)


@dataclass(frozen=True)
class UnlearnTask:
    """One request put to one method.

    Args:
        dataset: All of the data.
        request: What is asked for.
        forget: The records to be forgotten.
        retain: Those that stay, by slice.
        method: By which is unlearned.
        config: How to train.
        options: The rest.
        watched: Its validation part, and what may stop it.
        sharpness: As `train` takes it.
    """

    dataset: OffsideDataset
    request: Request
    forget: Any
    retain: Mapping[str, Any]
    method: UnlearningMethod[Any]
    config: UnlearnConfig
    options: RunOptions
    watched: Watched | None = None
    sharpness: float = 0.0

    def phase(self, *, fixed: bool = True) -> Phase:
        """This task as one training of a run; `fixed`: its number of steps is told before it is prepared."""
        steps = self.steps() if fixed else None
        method, sharpness = self.method, self.sharpness
        return Phase(config=self.config, prepare=self.prepare, method=method, sharpness=sharpness, steps=steps)

    def steps(self) -> int:
        """Optimizer steps; a method may have other records to be forgotten than the request."""
        forgotten = self.forget
        if self.config.max_steps is None:
            with tempfile.TemporaryDirectory() as folder:
                own = self.method.sides(self._records(Path(folder)))
            forgotten = own["forget"].rows if "forget" in own else forgotten
        return self.steps_of(len(forgotten))

    def prepare(self, trainable: Trainable, processor: Any, folder: Path) -> PreparedTraining:
        """Encode the records, plan the batches, and prepare the frozen reference."""
        config, needs, seed = self.config, self.method.needs(), self.options.seed
        encoder = Encoder(processor, max_length=config.max_length, cut=config.cut_long)
        own, examples = self.encode(encoder, folder)
        say_cut(encoder)
        collator = Collator(processor, augment=Augment(seed=seed) if config.augment else None)
        plan = BatchPlan(
            self._sources(examples, own),
            steps=self.steps_of(len(examples.get("forget", self.forget))),
            accumulation=config.accumulation,
            collator=collator,
        )
        reference = references.of(
            trainable.model,
            needs,
            examples,
            references.Preparation(
                collator=Collator(processor),
                batch_size=config.batch_size * (1 + config.retain_ratio),
                fresh_adapter=trainable.fresh_adapter,
                changing_pictures=config.augment,
                folder=folder,
                only_frozen=frozenset(side for side, records in own.items() if records.follows is None),
            ),
        )
        facts = {
            "reference": reference.how,
            "retain": self._retain_counts(own) if needs.retain else {},
        }
        watch = self.watched.watch(encoder, folder) if self.watched else None
        return PreparedTraining(plan, lambda model, batch: self.method.loss(model, batch, reference), facts, watch)

    def encode(self, encoder: Encoder, folder: Path) -> tuple[Mapping[str, SideRecords], dict[str, list[Encoded]]]:
        """The sides that the method asks for besides the usual ones, and the records of all sides.

        Args:
            encoder: Of the model.
            folder: Where a method may write a table.
        """
        own = self.method.sides(self._records(folder))
        return own, self._encode(encoder, self.method.needs(), own)

    def _records(self, folder: Path) -> RequestRecords:
        retain = {name: limited(rows, self.options) for name, rows in self.retain.items()}
        return RequestRecords(self.dataset, self.request, self.forget, retain, seed=self.options.seed, folder=folder)

    def batch_sizes(self, own: Mapping[str, SideRecords], sides: Iterable[str]) -> dict[str, int]:
        """Records of each side in a micro-batch; none of a side that only the frozen model reads."""
        roles = {side: self._role(side, own) for side in sides}
        return {side: self._size(role) for side, role in roles.items() if role is not None}

    def _role(self, side: str, own: Mapping[str, SideRecords]) -> str | None:
        """Whose order a side's batches have: refusals follow that of the forget set."""
        return own[side].follows if side in own else "retain" if side.startswith("retain") else "forget"

    def _size(self, role: str) -> int:
        return self.config.batch_size * (self.config.retain_ratio if role == "retain" else 1)

    def steps_of(self, forgotten: int) -> int:
        """Optimizer steps, given how many records are to be forgotten."""
        config = self.config
        if isinstance(self.method, EditingMethod):
            return config.max_steps or 1
        size = config.batch_size * config.accumulation
        return count_steps(forgotten, batch_size=size, epochs=config.epochs, max_steps=config.max_steps)

    def _encode(self, encoder: Encoder, needs: Needs, own: Mapping[str, SideRecords]) -> dict[str, list[Encoded]]:
        """The records of each side that the method reads."""
        examples: dict[str, list[Encoded]] = {}
        forget = own.get("forget", SideRecords(self.forget))
        if needs.forget or "forget" in needs.record_reference:
            examples["forget"] = forget.encoded(encoder, "records to be forgotten")
        if needs.refusal:
            refused = SideRecords(forget.rows, draw_refusals(forget.rows["record_id"], self.options.seed))
            examples["refusal"] = refused.encoded(encoder, "records to be refused")
        if needs.alternative:
            answered = SideRecords(forget.rows, draw_alternatives(forget.rows, self.options.seed))
            examples["alternative"] = answered.encoded(encoder, "alternative answers")
        for side, records in own.items():
            if side not in examples:
                examples[side] = records.encoded(encoder, f"{side} records")
        if needs.retain and "retain" not in examples:
            examples["retain"] = self._retained(encoder)
        if needs.blind:
            examples["forget_blind"] = encode_rows(encoder, self.forget, "records to be forgotten", pictures=False)
            examples["retain_blind"] = self._retained(encoder, pictures=False)
        return examples

    def _retain_counts(self, own: Mapping[str, SideRecords]) -> dict[str, int]:
        """How many records that stay are read, by slice."""
        if "retain" not in own:
            return {name: len(limited(rows, self.options)) for name, rows in self.retain.items()}
        read = {row["record_id"] for row in own["retain"].rows}
        return {name: len(read.intersection(rows["record_id"])) for name, rows in self.retain.items()}

    def _retained(self, encoder: Encoder, *, pictures: bool = True) -> list[Encoded]:
        return [
            example
            for name, rows in self.retain.items()
            for example in encode_rows(encoder, limited(rows, self.options), f"{name} records", pictures=pictures)
        ]

    def _sources(
        self, examples: Mapping[str, Sequence[Encoded]], own: Mapping[str, SideRecords]
    ) -> dict[str, ExampleSource]:
        streams: dict[str, Stream | Interleaved] = {}
        sources = {}
        for side, encoded in examples.items():
            role = self._role(side, own)
            if role is None:
                continue
            size = self._size(role)
            if role not in streams:
                evenly = role == "retain" and self.method.needs().retain_evenly
                streams[role] = self._by_slice(encoded, size) if evenly else self._stream(encoded, role, size)
            sources[side] = ExampleSource(encoded, streams[role], size)
        return sources

    def _stream(self, encoded: Sequence[Encoded], name: str, size: int) -> Stream:
        config = self.config
        return Stream(
            encoded,
            seed=self.options.seed,
            name=name,
            per_picture=config.per_picture,
            batch=size * config.accumulation,
            stretch=config.length_window * size * config.accumulation,
        )

    def _by_slice(self, encoded: Sequence[Encoded], size: int) -> Interleaved:
        """What stays, slice by slice in turn."""
        parts, start = [], 0
        share = math.ceil(size / len(self.retain))
        for name, rows in self.retain.items():
            end = start + len(limited(rows, self.options))
            parts.append(self._stream(encoded[start:end], f"retain {name}", share))
            start = end
        return Interleaved(parts)


def refusals() -> list[str]:
    """The sentences that `po` teaches, from `data/refusals.txt`."""
    text = files("offside_unlearn").joinpath("data/refusals.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def draw_refusals(record_ids: Sequence[str], seed: int) -> dict[str, str]:
    """One refusal for each record, by seed and record id alone."""
    choices = refusals()
    return {record: rng(seed, "refusal", record).choice(choices) for record in record_ids}


def draw_alternatives(rows: Any, seed: int) -> dict[str, str]:
    """One wrong answer for each record, of its own `perturbed_answers`, by seed and record id alone.

    Args:
        rows: The records, a `datasets.Dataset`.
        seed: Same seed, same answers.

    Raises:
        UsageError: If a record has none.
    """
    wrong = dict(zip(rows["record_id"], rows["perturbed_answers"], strict=True))
    without = sorted(record for record, texts in wrong.items() if not texts)
    if without:
        raise UsageError(
            f"{len(without)} of {len(wrong)} records to be forgotten have no perturbed_answers (e.g. {without[0]}), so "
            "there is no alternative to prefer. `offside-data questions DATASET` makes them where an answer has a "
            "value; else name records that have some with --only, or choose another method."
        )
    return {record: rng(seed, "alternative", record).choice(list(texts)) for record, texts in wrong.items()}
