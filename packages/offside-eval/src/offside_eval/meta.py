"""What `results.json` says: which model answered what, and everything that can move a score."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic

from offside_data import strict
from offside_data.errors import OffsideError
from offside_data.figures import counted
from offside_data.run_manifest import FILE, AppliedIntervention, DatasetReference, ModelReference, RunManifest
from offside_data.strict import Strict
from offside_eval.config import Role, Suite

SCHEMA = 1
TIMING = "timing.json"
"""File of a results folder that says how long everything took."""
T = TypeVar("T")


class ResultsError(OffsideError, ValueError):
    """A folder isn't a finished results folder, or was written by another version."""


def checked(kind: type[T], content: Any, where: str | Path) -> T:
    """Parsed JSON of a results folder as `kind`.

    Raises:
        ResultsError: If a key is unknown, missing or of a wrong type.
    """
    remedy = "Evaluate the model again, or install the version that wrote it."
    known = [field.name for field in dataclasses.fields(EvaluationMeta)]
    return strict.read(kind, content, where, ResultsError, remedy=remedy, known=known)


def _run(content: Any) -> RunManifest | None:
    return None if content is None else RunManifest.from_json(content, FILE)


@dataclass(frozen=True, kw_only=True)
class EvaluatedModel(ModelReference):
    """The model that answered.

    Args:
        run: Its run manifest; null for a plain checkpoint.
        intervention: What was done while it answered; null for most models.
    """

    run: Annotated[RunManifest | None, pydantic.PlainValidator(_run)]
    intervention: AppliedIntervention | None = None


@dataclass(frozen=True, kw_only=True)
class ForgottenRecords(Strict):
    """The records that were to be forgotten: a digest over their ids, and how many they are."""

    digest: str
    n: int


@dataclass(frozen=True, kw_only=True)
class EarlierRequest(ForgottenRecords):
    """A request that was made of the model before, and is measured again.

    Args:
        slice: Its records in the results.
        n_found: How many of its records the dataset holds.
        method: The method; null if the receipt doesn't say.
        setting: What was asked for.
        only: How it was narrowed.
        request: Which run that was, by its receipt.
        dataset: What it was made of.
        remark: What doesn't fit, in words; empty if all does.
    """

    slice: str
    n_found: int
    method: str | None
    setting: str | None
    only: tuple[str, ...]
    request: str | None
    dataset: DatasetReference | None
    remark: str

    def in_words(self) -> str:
        """`npo, selective, subject=A`."""
        return ", ".join(part for part in (self.method, self.setting, *self.only) if part)

    def told(self) -> str:
        """`earlier:1: npo, selective; 12 of 12 records asked`, and what doesn't fit."""
        asked = f"{self.n_found} of {counted(self.n, 'record')} asked"
        return f"{self.slice}: {self.in_words()}; {asked}" + (f" ({self.remark})" if self.remark else "")


@dataclass(frozen=True, kw_only=True)
class Generation(Strict):
    """How answers were generated."""

    greedy: bool
    max_new_tokens: int
    max_length: int


@dataclass(frozen=True, kw_only=True)
class EvaluationMeta(Strict):
    """What was evaluated with what; nothing in it differs between two runs of the same evaluation.

    Args:
        model: The model.
        role: What it is for.
        dataset: What it was asked.
        setting: Name of the setting.
        only: How the request to forget was narrowed.
        forget: What was to be forgotten.
        suite: Which metrics and slices.
        limit: Most records of a slice; null = all.
        limit_kept: Most records of a slice of what stays; null = all.
        metrics: Names of the per-sample metrics.
        generation: How answers were generated.
        batch_size: Questions at once.
        seed: Of the choice of records under `limit` and `limit_kept`.
        dtype: Type of the weights.
        device: Where the model ran.
        image_backend: What decoded and scaled the pictures.
        max_pixels: Larger pictures were scaled down; null = the processor's own limit.
        n_questions: Questions asked.
        versions: Of Python and the packages.
        model_metrics: Names of the metrics of the whole model that were prepared for.
        earlier: What was to be forgotten before, the oldest request first.
    """

    model: EvaluatedModel
    role: Role
    dataset: DatasetReference
    setting: str
    only: tuple[str, ...]
    forget: ForgottenRecords
    suite: Suite
    limit: int | None
    limit_kept: int | None = None
    metrics: tuple[str, ...]
    generation: Generation
    batch_size: int
    seed: int
    dtype: str
    device: str
    image_backend: str | None
    max_pixels: int | None
    n_questions: int
    versions: Mapping[str, str]
    model_metrics: tuple[str, ...] = ()
    earlier: tuple[EarlierRequest, ...] = ()

    @classmethod
    def from_json(cls, content: Any, where: str | Path) -> EvaluationMeta:
        """Check what stands in a `results.json`.

        Args:
            content: The parsed JSON.
            where: Its file, for messages.

        Raises:
            ResultsError: If it is of another schema, or a key is unknown, missing or of a wrong type.
        """
        found = content.get("schema") if isinstance(content, Mapping) else None
        if found != SCHEMA:
            raise ResultsError(
                f"{where}: results schema {found!r}; this version reads {SCHEMA}. "
                "Evaluate the model again, or install the version that wrote it."
            )
        return checked(cls, {key: value for key, value in content.items() if key != "schema"}, where)

    def to_json(self) -> dict[str, Any]:
        """As it stands on disk."""
        run = self.model.run
        bare = dataclasses.replace(self, model=dataclasses.replace(self.model, run=None))
        content: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **dataclasses.asdict(bare)}))
        content["model"]["run"] = None if run is None else run.to_json()
        if self.limit_kept is None:  # Files of this schema from before there was such a limit stay as they are.
            del content["limit_kept"]
        if not self.model_metrics:
            del content["model_metrics"]
        if not self.earlier:
            del content["earlier"]
        if self.model.intervention is None:
            del content["model"]["intervention"]
        return content
