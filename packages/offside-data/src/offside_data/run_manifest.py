"""`offside_run.json`, the receipt in every model folder that we write.

`offside-unlearn` writes it, `offside-eval` reads it, and both by the classes here. On disk all keys of
`RunManifest` and of its `Training` stand side by side; what a command has nothing to say about is left
out. A file that doesn't fit is an error that names the key, never a number read as something else.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offside_data import strict
from offside_data.errors import ModelError
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.strict import Strict

FILE = "offside_run.json"
SCHEMA = 1

Role = Literal["base", "vanilla", "retain_only", "unlearned", "relearned"]
"""What a model is for."""


@dataclass(frozen=True, kw_only=True)
class DatasetReference(Strict):
    """The dataset of a run.

    Args:
        name: As its card says.
        version: As its card says.
        commit: Of the Hub repository that it came from; null for a folder.
        digest: Of its content.
    """

    name: str
    version: str
    commit: str | None
    digest: str


@dataclass(frozen=True, kw_only=True)
class ModelReference(Strict):
    """A model: where it lay, and the digest of its weights."""

    path: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class ForgetRequest(Strict):
    """The records that a model was to forget: their ids, sorted, and a digest over them."""

    digest: str
    record_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HeldOut(Strict):
    """Records by which a run was stopped or chosen, so that no report may count them.

    Args:
        forget: Ids of those to be forgotten, sorted.
        retain: Of those that stay, likewise.
        seed: Of the draw.
    """

    forget: tuple[str, ...]
    retain: tuple[str, ...]
    seed: int

    @property
    def record_ids(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.forget, *self.retain))


@dataclass(frozen=True, kw_only=True)
class Parent(ModelReference):
    """A model that a run comes from, with the request made of it.

    Args:
        role: Null for a plain checkpoint, of which no more is known; the rest is as in `RunManifest`.
        request: Digest over what decided that run's result, its options among it: that of its own receipt.
    """

    role: Role | None
    method: str | None = None
    setting: str | None = None
    only: tuple[str, ...] | None = None
    forget: ForgetRequest | None = None
    dataset: DatasetReference | None = None
    trained_on: tuple[str, ...] | None = None
    request: str | None = None
    validation: HeldOut | None = None


@dataclass(frozen=True, kw_only=True)
class AppliedIntervention(Strict):
    """What is done to a model while it answers, its weights being what they were.

    Args:
        kind: Which intervention: one of `offside_data.vlm.intervention.INTERVENTIONS`.
        files: SHA-256 of each of its files, by name.
    """

    kind: str
    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LentTable(Strict):
    """The table of donors that a run had (`offside_data.donors`): SHA-256 and size of its file, and its rows."""

    digest: str
    bytes: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Training(Strict):
    """How the weights were trained and what it took; of every run but those of `tiny`.

    Args:
        tune: What was trained: a preset's name or a regex on module names.
        limit: Most records drawn of each set; null = all.
        dtype: Type of the weights.
        max_pixels: Larger pictures were scaled down; null = the processor's own limit.
        curve: Steps after which the model was kept besides.
        base_commit: Commit of the base model on the Hub, if it came from there.
        trained_parts: For each tower its modules, parameters and trained weights; layers that nothing reads (`unread`).
        device: Name of the processor it ran on.
        threads: Of torch on the CPU.
        processes: How many trained it together; null = one.
        quantization: What the base model's weights were kept as while it was trained; null = as `dtype` says.
        wall_time_s: Seconds, all attempts together.
        peak_memory_mb: MiB, of the GPU or else of the process; null where the system doesn't tell.
        steps: Optimizer steps.
        loss_history: Step, loss, its terms, gradient norm and learning rate, thinned.
        reference: Where the frozen model came from; null if the method needs none.
        parts: `config/split` learnt; null for unlearning.
        records_trained_on: Their records; null for unlearning.
        retain: Records that were to stay, by slice; null for fine-tuning.
        until: What the run was to reach, e.g. `forgetting=0.95`; null if its steps were fixed.
        stopped: Why it ended: `forgetting`, `collapse` or `steps`; null if its steps were fixed.
        checks: What its validation part said, the start first: step, forgetting, keeping, broken.
        point_of: The `request` of the run that this model is a point of: the run two folders above.
    """

    tune: str
    limit: int | None
    dtype: str
    max_pixels: int | None
    curve: tuple[int, ...]
    base_commit: str | None
    trained_parts: Mapping[str, Mapping[str, int]]
    device: str
    threads: int
    wall_time_s: float
    peak_memory_mb: int | None
    steps: int
    loss_history: tuple[Mapping[str, int | float], ...]
    reference: str | None
    parts: tuple[str, ...] | None = None
    records_trained_on: int | None = None
    retain: Mapping[str, int] | None = None
    until: str | None = None
    stopped: Literal["forgetting", "collapse", "steps"] | None = None
    checks: tuple[Mapping[str, int | float], ...] | None = None
    point_of: str | None = None
    processes: int | None = None
    quantization: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunManifest(Strict):
    """What a run did, with what, and what came of it.

    Args:
        title: Of the model card.
        command: That made the model.
        role: What the model is for.
        method: Unlearning method; null if nothing was unlearned.
        config: All options of the method and the training, resolved.
        setting: What was asked for; null if nothing was unlearned.
        only: How the request was narrowed; null for a plain checkpoint that was relearned.
        dataset: It was trained on.
        base_model: The plain model: what the adapter sits on, or what was trained itself; null for `tiny`. Of an
            intervention the model that it acts on, which may be an adapter.
        parents: The models it comes from, the oldest first.
        forget: What was to be forgotten, by this run or before relearning.
        trained_on: `config/split` of all that the model was ever taught.
        adapter: Size of its adapter; null if it has none.
        seeds: By name.
        request: Digest over what decides the result: the same digest, the same run.
        versions: Of Python and the packages.
        image_backend: What decoded and scaled the pictures.
        training: How it was trained; null for `tiny`.
        parameters: Of a tiny model.
        merged_from: The adapter run that was merged into a plain model.
        validation: Records by which this run, or the one that was relearned, was stopped.
        attack: Kind of the relearning attack that made it.
        taught: Records of what was to be forgotten that this attack, or one before, trained on; no report counts them.
        intervention: What is done while the base model answers; null for a run that has weights of its own.
        donors: Who lent answers to the run, or to the one that was relearned; null for methods without donors.
        published: On the Hub: the files that were put there with it. Null where it was made.
    """

    title: str
    command: Literal["tiny", "finetune", "run", "relearn"]
    role: Role
    method: str | None
    config: Mapping[str, Any]
    setting: str | None
    only: tuple[str, ...] | None
    dataset: DatasetReference
    base_model: ModelReference | None
    parents: tuple[Parent, ...]
    forget: ForgetRequest | None
    trained_on: tuple[str, ...]
    adapter: Mapping[str, Any] | None
    seeds: Mapping[str, int]
    request: str
    versions: Mapping[str, str]
    image_backend: str | None
    training: Training | None = None
    parameters: int | None = None
    merged_from: ModelReference | None = None
    validation: HeldOut | None = None
    attack: str | None = None
    taught: tuple[str, ...] | None = None
    intervention: AppliedIntervention | None = None
    donors: LentTable | None = None
    published: tuple[str, ...] | None = None

    @property
    def earlier(self) -> tuple[Parent, ...]:
        """The models that earlier requests made, the oldest first: all of the line but the one that `forget` is of."""
        made = [parent for parent in self.parents if parent.role == "unlearned" and parent.forget is not None]
        return tuple(made if self.role == "unlearned" or self.forget is None else made[:-1])

    @property
    def requests(self) -> tuple[Parent, ...]:
        """All requests that were made of this model, the oldest first; its own with neither place nor digest."""
        names = {field.name for field in dataclasses.fields(Parent)} - {"path", "digest"}
        made = [parent for parent in self.parents if parent.role == "unlearned" and parent.forget is not None]
        if self.role == "unlearned" and self.forget is not None:
            made.append(Parent(path="", digest="", **{name: getattr(self, name) for name in names}))
        return tuple(made)

    @property
    def held_out(self) -> frozenset[str]:
        """Records by which this run, or one that it comes from, was stopped or chosen."""
        parts = [self.validation, *(parent.validation for parent in self.parents)]
        return frozenset[str]().union(*(part.record_ids for part in parts if part is not None))

    @property
    def not_counted(self) -> frozenset[str]:
        """Records that no report may count: those held out, and what an attack taught."""
        return self.held_out | frozenset(self.taught or ())

    @classmethod
    def from_json(cls, content: Any, where: str | Path) -> RunManifest:
        """Check what stands in a manifest.

        Args:
            content: The parsed JSON.
            where: Its file, for messages.

        Raises:
            ModelError: If it isn't a manifest of this schema, or a key is unknown, missing or of a wrong type.
        """
        if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
            raise ModelError(f"{where}: not a run manifest of schema {SCHEMA}; use the version that wrote it.")
        flat = {key: value for key, value in content.items() if key != "schema"}
        training = {key: flat.pop(key) for key in (*_names(Training), "training") if key in flat}
        if training or flat.get("command") != "tiny":
            flat["training"] = training
        return strict.read(
            cls,
            flat,
            where,
            ModelError,
            remedy="Make the run again, or use the version that wrote it.",
            known=[*_names(RunManifest), *_names(Training)],
            inline="training",
        )

    def to_json(self) -> dict[str, Any]:
        """As it stands on disk."""
        content = {"schema": SCHEMA, **_without_absent(self)}
        content.pop("training", None)
        if self.training is not None:
            content |= _without_absent(self.training)
        content["parents"] = [_parent(parent) for parent in self.parents]
        plain: dict[str, Any] = json.loads(json.dumps(content))  # Lists for tuples, and nobody else's objects.
        return plain


def read(folder: str | Path) -> RunManifest | None:
    """The manifest in a model folder; null if it holds none, as plain checkpoints do.

    Raises:
        ModelError: If it can't be read or doesn't fit the schema.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    text = read_small(path, error=ModelError)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ModelError(f"{path}: can't be read: {error}. Make the run again.") from error
    return RunManifest.from_json(content, path)


def _names(part: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(part)]


def _parent(parent: Parent) -> dict[str, Any]:
    if parent.role is None:
        return {"path": parent.path, "digest": parent.digest, "role": None}
    content = dataclasses.asdict(parent)
    # Files of this schema from before there were such keys stay as they are.
    absent = [name for name in ("request", "validation") if content[name] is None]
    return {name: value for name, value in content.items() if name not in absent}


def _without_absent(part: Any) -> dict[str, Any]:
    """Fields without a default are always written, others only where there is something to say."""
    absent = {f.name for f in dataclasses.fields(part) if f.default is None and getattr(part, f.name) is None}
    return {key: value for key, value in dataclasses.asdict(part).items() if key not in absent}
