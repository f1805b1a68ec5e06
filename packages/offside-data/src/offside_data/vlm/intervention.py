"""Interventions: what is done to a model while it answers, its weights being what they were.

A run whose method changes no weights holds `intervention.json` in their place: which intervention, on which model, and
what it has to know; its tensors, if it has any, lie beside it in `intervention.safetensors`. One kind is one file in
`offside_data/vlm/interventions`, the file name is its name: a docstring, and `read(content, tensors)`, which makes the
`Intervention` of what `to_json` and `tensors` gave.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from offside_data import strict
from offside_data.errors import ModelError
from offside_data.files import sha256_file, write_json
from offside_data.parsing import parse_json
from offside_data.plugins import Registry
from offside_data.reading import read_small
from offside_data.run_manifest import AppliedIntervention
from offside_data.strict import Strict
from offside_data.vlm.bases import INTERVENTION, base_of_intervention
from offside_data.vlm.digest import model_digest
from offside_data.vlm.models import load_model

INTERVENTIONS = Registry(
    "offside_data.vlm.interventions",
    "intervention",
    needs={"__doc__": str, "read": Callable},
    contract="offside_data.vlm.intervention",
)
"""All kinds, third parties' included."""

TENSORS = "intervention.safetensors"
SCHEMA = 1
_REMEDY = "Make the run again, or use the version that wrote it."


class Intervention(ABC):
    """Something done while a model answers: to what it is asked, to its hidden states, or both."""

    kind: ClassVar[str]
    """Its name in the registry."""

    instructs: ClassVar[bool] = False
    """Whether it may say something before a question."""

    def instruction(self, question: str, picture: bytes | None) -> str | None:
        """What the model is told before a question; null for nothing. For `Encoder(instruct=…)`.

        Args:
            question: As it is asked.
            picture: Its picture, encoded; null if it has none.
        """
        return None

    def attached(self, model: Any) -> AbstractContextManager[None]:
        """The block in which hooks act on the model; none for what only instructs."""
        return contextlib.nullcontext()

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that it has to know, but for tensors."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Its tensors by name, on the CPU."""
        return {}


@dataclass(frozen=True, kw_only=True)
class _File(Strict):
    """What stands in `intervention.json`; `tensors` is the SHA-256 of the file beside it, null if there is none."""

    schema: int
    kind: str
    base_model_name_or_path: str
    base_digest: str
    tensors: str | None
    content: Mapping[str, Any] = field(default_factory=dict)


def write_intervention(
    intervention: Intervention, folder: Path, *, base: str, base_digest: str, final: Path | None = None
) -> AppliedIntervention:
    """Write an intervention into a run folder.

    Args:
        intervention: What is done.
        folder: The folder.
        base: The model that it acts on: a folder, or a Hub id.
        base_digest: Its `model_digest`.
        final: Where the folder will be moved to; a base in a folder is named relative to it, so that both can be moved.

    Returns:
        For the manifest.
    """
    if Path(base).is_dir():
        base = os.path.relpath(Path(base).resolve(), (final or folder).resolve())
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in intervention.tensors().items()}
    if tensors:
        save_file(tensors, folder / TENSORS)
    write_json(
        folder / INTERVENTION,
        {
            "schema": SCHEMA,
            "kind": intervention.kind,
            "base_model_name_or_path": base,
            "base_digest": base_digest,
            "tensors": sha256_file(folder / TENSORS) if tensors else None,
            "content": intervention.to_json(),
        },
    )
    return applied_in(folder, intervention.kind)


def applied_in(folder: Path, kind: str) -> AppliedIntervention:
    """What the manifest says of the intervention in a folder."""
    files = {name: sha256_file(folder / name) for name in (INTERVENTION, TENSORS) if (folder / name).is_file()}
    return AppliedIntervention(kind=kind, files=files)


def read_intervention(folder: str | Path) -> Intervention | None:
    """The intervention in a run folder; null if it holds none.

    Raises:
        ModelError: If it is broken, its tensors are others than were written, or the model that it acts on is another.
        PluginError: If no intervention of its kind is installed.
    """
    path = Path(folder) / INTERVENTION
    if not path.is_file():
        return None
    told = _told(path)
    base = base_of_intervention(path.parent)
    if model_digest(base) != told.base_digest:
        raise ModelError(
            f"{path}: it was made for another model than {base}, whose digest isn't the one that it names. Put that "
            "model back, or make the run again."
        )
    tensors = _tensors(path.parent, told.tensors) if told.tensors is not None else {}
    try:
        made: Intervention = INTERVENTIONS.load(told.kind).read(dict(told.content), tensors)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: no {told.kind} of this version: {error}. {_REMEDY}") from error
    return made


def _told(path: Path) -> _File:
    try:
        text = read_small(path, error=ModelError)
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}. {_REMEDY}") from error
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ModelError(f"{path}: can't be read: {error}. {_REMEDY}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ModelError(f"{path}: no intervention of schema {SCHEMA}. {_REMEDY}")
    return strict.read(_File, content, path, ModelError, remedy=_REMEDY)


def _tensors(folder: Path, digest: str) -> dict[str, torch.Tensor]:
    path = folder / TENSORS
    if not path.is_file() or sha256_file(path) != digest:
        raise ModelError(f"{path} isn't there, or isn't the file that {INTERVENTION} was written with. {_REMEDY}")
    try:
        loaded: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path}: can't be read: {error}. {_REMEDY}") from error
    return loaded


def load_intervened(
    run: str | Path, *, device: str | torch.device | None = None, dtype: str = "float32"
) -> tuple[Any, Intervention]:
    """Load the model that a run's intervention acts on, and the intervention.

    Args:
        run: The run folder.
        device: As `load_model`.
        dtype: As `load_model`.

    Returns:
        The model, untouched, and the intervention: encode with `Encoder(processor, instruct=intervention.instruction)`,
        and run the model inside `with intervention.attached(model):`.

    Raises:
        ModelError: If the run holds no intervention, or one of the two can't be loaded.
    """
    intervention = read_intervention(run)
    if intervention is None:
        raise ModelError(f"{run}: no {INTERVENTION}, so nothing is done while it answers. Load it with load_model.")
    return load_model(base_of_intervention(Path(run)), device=device, dtype=dtype), intervention
