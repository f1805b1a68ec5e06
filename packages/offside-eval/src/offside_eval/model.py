"""The model under evaluation: where it lies, what it is, how to load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data import run_manifest
from offside_data.progress import log
from offside_data.run_manifest import AppliedIntervention, RunManifest
from offside_eval.config import EvaluationConfig, Role

if TYPE_CHECKING:
    from offside_data.vlm import Intervention


class Shelf:
    """Room for one loaded model.

    Where the next one is another adapter on the same base, only the adapter is read; where it is another intervention
    on the same model, nothing is.
    """

    def __init__(self) -> None:
        self._model: Any = None
        self._place: str | None = None
        self._base: str | None = None
        self._below: dict[str, Any] = {}  # The weights under a folded adapter.

    def load(self, target: TargetModel) -> Any:
        """A model, in eval mode; the one before must not be used any more.

        Raises:
            ModelError: If its folder can't be loaded.
        """
        from offside_data.vlm.bases import ADAPTER_CONFIG, base_of_adapter
        from offside_data.vlm.folding import fold, unfold
        from offside_data.vlm.models import load_model, swap_adapter

        folder = Path(target.weights)
        place = str(folder.resolve())
        if self._model is not None and target.intervention is not None and place == self._place:
            return self._model
        self._place = None
        base = str(Path(base_of_adapter(folder)).resolve()) if (folder / ADAPTER_CONFIG).is_file() else None
        if base is not None and base == self._base:
            unfold(self._model, self._below)
            swap_adapter(self._model, folder)
        else:
            self._model = None  # Two at once may not fit into memory.
            self._model = load_model(target.weights, device=target.device, dtype=target.dtype)
        self._place, self._base, self._below = place, base, fold(self._model)
        return self._model


def run_of(model: Any) -> RunManifest | None:
    """The receipt of a model given by its path; null for a plain checkpoint, and for one in memory.

    Raises:
        ModelError: If it is broken.
    """
    return run_manifest.read(model) if isinstance(model, (str, Path)) else None


@dataclass(frozen=True)
class TargetModel:
    """The model under evaluation and what is recorded about it.

    Args:
        path: Its folder or Hub name; of a model in memory the one it was loaded from.
        digest: Of everything that decides what it answers.
        run: Its run manifest, null for a plain checkpoint.
        role: What it is for.
        processor: Its processor.
        device: Where it runs.
        dtype: Type of its weights.
        model: The model itself; null for one given by path.
        shelf: Where a model given by path is loaded; null loads it by itself.
        intervention: What is done while it answers; null for most models.
        weights: Where its weights are: `path`, but for one that an intervention acts on.
    """

    path: str
    digest: str
    run: RunManifest | None
    role: Role
    processor: Any
    device: str
    dtype: str
    model: Any = None
    shelf: Shelf | None = None
    intervention: Intervention | None = None
    weights: str = ""

    @classmethod
    def of(cls, model: Any, processor: Any, config: EvaluationConfig, *, shelf: Shelf | None = None) -> TargetModel:
        """Find out everything about a model short of loading it.

        Raises:
            ModelError: If its folder has no usable processor, or a broken manifest or intervention.
        """
        if not isinstance(model, (str, Path)):
            path = str(getattr(model, "name_or_path", "")) or "in memory"
            from offside_data.vlm.digest import weights_digest

            digest, dtype = weights_digest(model), str(model.dtype).removeprefix("torch.")
            role = config.role or "unknown"
            return cls(path, digest, None, role, processor, str(model.device), dtype, model)

        from offside_data.vlm import load_processor, read_intervention
        from offside_data.vlm.bases import base_of_intervention
        from offside_data.vlm.digest import model_digest
        from offside_data.vlm.models import default_device

        run = run_manifest.read(model)
        role = config.role or (run.role if run else "unknown")
        if processor is None:
            processor = load_processor(model, max_pixels=config.max_pixels)
        if run is None:
            hint = "" if config.role else "; say what it is with --role"
            log(
                f"warning: {model} has no {run_manifest.FILE}, so nothing is known of how it was made: "
                f"evaluated as a plain checkpoint with role {role!r}{hint}."
            )
        device = config.device or default_device()
        intervention = read_intervention(model)
        weights = str(model)
        if intervention is not None:
            weights = base_of_intervention(Path(model))
            log(f"{model}: {intervention.kind}, applied to {weights} while it answers.")
        facts = (str(model), model_digest(model), run, role, processor, device, config.dtype)
        return cls(*facts, shelf=shelf, intervention=intervention, weights=weights)

    @property
    def applied(self) -> AppliedIntervention | None:
        """What results say of its intervention."""
        if self.intervention is None:
            return None
        from offside_data.vlm.intervention import applied_in

        return applied_in(Path(self.path), self.intervention.kind)

    def load(self) -> Any:
        """The model, in eval mode.

        Raises:
            ModelError: If its folder can't be loaded.
        """
        if self.model is not None:
            return self.model
        return (self.shelf or Shelf()).load(self)
