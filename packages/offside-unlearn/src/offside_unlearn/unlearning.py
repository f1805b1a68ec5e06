"""Unlearn: one request, one method, one run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from offside_data.dataset.digest import ids_digest
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.plugins import Registry
from offside_data.progress import log
from offside_data.request import Request
from offside_data.run_manifest import HeldOut
from offside_data.schema import CONFIGS
from offside_data.seeding import rng
from offside_data.settings import Slice
from offside_data.taxonomy import Taxonomy
from offside_data.vlm import Augment, Collator, Encoded, Encoder
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan, ExampleSource, Interleaved, Needs, Stream, count_steps, encode_rows
from offside_unlearn.editing import OPTIONS as EDITING_OPTIONS
from offside_unlearn.engine import Job, PreparedTraining, configs_of, dataset_facts, execute
from offside_unlearn.finetuning import limited, opened
from offside_unlearn.methods import EditingMethod, MethodConfig, Paper, UnlearningMethod
from offside_unlearn.options import RunOptions, build_configs
from offside_unlearn.runs import Run
from offside_unlearn.sides import RequestRecords, SideRecords
from offside_unlearn.start import Trainable, check_lora, find_start
from offside_unlearn.trainer import TrainConfig
from offside_unlearn.tune import LoraOptions
from offside_unlearn.validation import ValidationConfig, Watch, hold_out, parse_until

METHODS = Registry(
    "offside_unlearn.methods",
    "method",
    needs={"__doc__": str, "PAPER": Paper, "Config": MethodConfig, "Method": UnlearningMethod},
    contract="offside_unlearn.methods._base",
)
"""All methods, third parties' included."""


_TRAINED_ON = ("forget", "retain")
"""Splits of subjects that a vanilla model learnt from; the others are for asking it."""


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


def unlearn(
    method: str,
    model: Any,
    processor: Any,
    data: str | Path | OffsideDataset,
    setting: str,
    config: Mapping[str, Any] | None,
    out: str | Path,
    options: RunOptions | None = None,
    *,
    curve_steps: Sequence[int] = (),
    until: str | None = None,
) -> Run:
    """Unlearn what a setting asks for, with one method.

    Args:
        method: One of `METHODS.names()`.
        model: A path, a Hub id, or a loaded model.
        processor: Of a loaded model; null with a path.
        data: A dataset or a reference to one.
        setting: One that the dataset's card offers.
        config: Options of the method, of `UnlearnConfig` and `LoraOptions` that differ from the defaults.
        out: The run folder.
        options: The rest.
        curve_steps: Keep the model after so many steps besides, in `OUT/curve/step-…`, each a run folder of its own.
            With them the learning rate stays as it is after the warm-up, and training ends at the last one, unless
            `config` says otherwise: then the model after n steps is what n steps make, whatever follows.
        until: `forgetting=LEVEL`: end at the first of these steps at which so much of a validation part is forgotten,
            or the model collapses; see `validation`.

    Raises:
        UsageError: If an option is unknown or the dataset doesn't offer the setting.
    """
    options = options or RunOptions()
    curve = tuple(sorted({int(step) for step in curve_steps}))
    module = METHODS.load(method)
    method_config, train_config, lora, *watching = read_options(method, config or {}, curve, until)
    dataset = opened(data)
    request = dataset.request(setting, options.only)
    forget = limited(request.forget, options)
    ids = sorted(forget["record_id"])
    built = module.Method(method_config)
    retain = _retain_rows(dataset, request, train_config, built.needs())
    watched = _watched(forget, retain, dataset, watching[0], until, options) if until else None
    task = UnlearnTask(dataset, request, forget, retain, built, train_config, options, watched)
    start = find_start(model, processor)
    check_lora(start, options, config or {})
    resolved = configs_of(method_config, train_config, *watching)
    if isinstance(task.method, EditingMethod):
        resolved = _without_training(method, resolved, config or {})
    return execute(
        Job(
            title=f"{method} on {dataset.name}, {setting}",
            start=start,
            out=Path(out),
            identity={
                "command": "run",
                "role": "unlearned",
                "method": method,
                "config": resolved,
                "dataset": dataset_facts(dataset),
                "setting": setting,
                "only": list(options.only),
                "forget": {"digest": ids_digest(ids), "record_ids": ids},
                "trained_on": list(start.trained_on),
                **(watched.identity() if watched else {}),
            },
            config=train_config,
            lora=lora,
            options=options,
            prepare=task.prepare,
            curve=curve,
            method=task.method,
        )
    )


def _without_training(method: str, resolved: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method that doesn't train: those of the training that count for nothing left out."""
    idle = {field.name for field in dataclasses.fields(UnlearnConfig)} - set(EDITING_OPTIONS)
    named = sorted(idle & given.keys())
    if named:
        log(f"{method} doesn't train: {', '.join(named)} count{'s' if len(named) == 1 else ''} for nothing.")
    return {name: value for name, value in resolved.items() if name not in idle}


def read_options(method: str, config: Mapping[str, Any], curve: Sequence[int], until: str | None) -> tuple[Any, ...]:
    """A method's config, `UnlearnConfig`, `LoraOptions` and, with `until`, `ValidationConfig`.

    Args:
        method: One of `METHODS.names()`.
        config: Options that differ from the defaults.
        curve: Steps of the curve, ascending.
        until: Where the run stops by itself.

    Raises:
        UsageError: If one is unknown or doesn't fit.
    """
    if until is not None:
        parse_until(until)
    types = (METHODS.load(method).Config, UnlearnConfig, LoraOptions, *((ValidationConfig,) if until else ()))
    return build_configs(with_curve(config, curve, until), *types)


def with_curve(config: Mapping[str, Any], curve: Sequence[int], until: str | None) -> dict[str, Any]:
    """Options with the defaults that a curve has: a constant learning rate, and no steps after its last one.

    Raises:
        UsageError: If a run is to stop by itself, and there are no steps at which it could.
    """
    if not curve:
        if until is not None:
            raise UsageError("--until is looked at after the steps of a curve: give them with --curve-steps.")
        return dict(config)
    if curve[0] < 1:
        raise UsageError(f"--curve-steps: {curve[0]} is no step; the model before the first one is the start itself.")
    length = {} if {"epochs", "max_steps"} & config.keys() else {"max_steps": curve[-1]}
    return {"schedule": "constant", **length, **config}


@dataclass(frozen=True)
class Watched:
    """How a run stops by itself: what is asked of the model, and what it is to reach."""

    until: str
    held_out: HeldOut
    tables: Sequence[Any]
    taxonomy: Taxonomy
    config: ValidationConfig

    def identity(self) -> dict[str, Any]:
        """What of it decides the run's result, for the manifest."""
        part = self.held_out
        ids = {"forget": list(part.forget), "retain": list(part.retain), "seed": part.seed}
        return {"until": self.until, "validation": ids}

    def watch(self, encoder: Encoder, folder: Path) -> Watch:
        """What looks at the run."""
        level = parse_until(self.until)
        options = {"level": level, "config": self.config, "folder": folder}
        return Watch.of(self.held_out, self.tables, encoder, self.taxonomy, **options)


def _watched(
    forget: Any, retain: Mapping[str, Any], dataset: OffsideDataset, config: ValidationConfig, until: str, options: Any
) -> Watched:
    level = parse_until(until)
    used = {name: limited(rows, options) for name, rows in retain.items()}
    tables = [forget, *used.values()]
    return Watched(f"forgetting={level:g}", hold_out(forget, used, config), tables, dataset.taxonomy, config)


def _retain_rows(dataset: OffsideDataset, request: Request, config: UnlearnConfig, needs: Needs) -> dict[str, Any]:
    """The records that training keeps, by the name of their slice."""
    if needs.retain_whole and not config.retain_slices:
        return _all_that_stays(dataset, request)
    forms = sorted({part.config for part in request.setting.forget})
    names = config.retain_slices or tuple(f"{form}/retain" for form in forms)
    rows = {name: _slice_rows(dataset, request, name) for name in names}
    forgotten = set(request.record_ids)
    for name, part in rows.items():
        both = forgotten & set(part["record_id"])
        if both:
            raise UsageError(
                f"retain_slices: {name} holds {len(both)} of the records that are to be forgotten "
                f"(e.g. {min(both)}). Choose slices that don't overlap with the request."
            )
    return rows


def _all_that_stays(dataset: OffsideDataset, request: Request) -> dict[str, Any]:
    """All that the setting keeps, but for the records that only an evaluation sees, and the general records."""
    rows = {part.name: request.keep.get(part.name) for part in request.setting.keep if part.split in _TRAINED_ON}
    rows["rest"] = request.rest
    general = [form for form in CONFIGS if dataset.has(form, "general")]
    rows |= {f"{form}/general": dataset.records(form, "general") for form in general}
    return {name: part for name, part in rows.items() if part is not None and len(part)}


def _slice_rows(dataset: OffsideDataset, request: Request, name: str) -> Any:
    if name == "rest":
        if request.rest is None or len(request.rest) == 0:
            raise UsageError("retain_slices: 'rest' is what --only leaves out, and here it leaves nothing out.")
        return request.rest
    config, _, rest = name.partition("/")
    split, _, scope = rest.partition("/")
    if not split:
        raise UsageError(f"retain_slices: {name!r} isn't CONFIG/SPLIT, CONFIG/SPLIT/SCOPE or 'rest'.")
    return dataset.slice(Slice(config, split, scope or None))


@dataclass(frozen=True)
class UnlearnTask:
    """One request put to one method: the records to be forgotten and those that stay, by slice."""

    dataset: OffsideDataset
    request: Request
    forget: Any
    retain: Mapping[str, Any]
    method: UnlearningMethod[Any]
    config: UnlearnConfig
    options: RunOptions
    watched: Watched | None = None

    def prepare(self, trainable: Trainable, processor: Any, folder: Path) -> PreparedTraining:
        """Encode the records, plan the batches, and prepare the frozen reference."""
        config, needs, seed = self.config, self.method.needs(), self.options.seed
        encoder = Encoder(processor, max_length=config.max_length)
        own = self.method.sides(
            RequestRecords(self.dataset, self.request, self.forget, self.retain, seed=seed, folder=folder)
        )
        examples = self._encode(encoder, needs, own)
        collator = Collator(processor, augment=Augment(seed=seed) if config.augment else None)
        plan = BatchPlan(
            self._sources(examples, own),
            steps=self._steps(len(examples.get("forget", self.forget))),
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
            "retain": {n: len(limited(rows, self.options)) for n, rows in self.retain.items()} if needs.retain else {},
        }
        watch = self.watched.watch(encoder, folder) if self.watched else None
        return PreparedTraining(plan, lambda model, batch: self.method.loss(model, batch, reference), facts, watch)

    def _steps(self, forgotten: int) -> int:
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
        if needs.retain:
            examples["retain"] = self._retained(encoder)
        if needs.blind:
            examples["forget_blind"] = encode_rows(encoder, self.forget, "records to be forgotten", pictures=False)
            examples["retain_blind"] = self._retained(encoder, pictures=False)
        return examples

    def _retained(self, encoder: Encoder, *, pictures: bool = True) -> list[Encoded]:
        return [
            example
            for name, rows in self.retain.items()
            for example in encode_rows(encoder, limited(rows, self.options), f"{name} records", pictures=pictures)
        ]

    def _sources(
        self, examples: Mapping[str, Sequence[Encoded]], own: Mapping[str, SideRecords]
    ) -> dict[str, ExampleSource]:
        config = self.config
        streams: dict[str, Stream | Interleaved] = {}
        sources = {}
        for side, encoded in examples.items():
            # Refusals follow the order of the forget set.
            role = own[side].follows if side in own else "retain" if side.startswith("retain") else "forget"
            if role is None:
                continue
            size = config.batch_size * (config.retain_ratio if role == "retain" else 1)
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
