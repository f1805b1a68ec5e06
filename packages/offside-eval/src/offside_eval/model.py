"""The model under evaluation: where it lies, what it is, how to load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data import run_manifest
from offside_data.progress import log
from offside_data.run_manifest import RunManifest
from offside_eval.config import EvaluationConfig, Role


class Shelf:
    """Room for one loaded model. Where the next one is another adapter on the same base, only the adapter is read."""

    def __init__(self) -> None:
        self._model: Any = None
        self._base: str | None = None
        self._below: dict[str, Any] = {}  # The weights under a folded adapter.

    def load(self, target: TargetModel) -> Any:
        """A model, in eval mode; the one before must not be used any more.

        Raises:
            ModelError: If its folder can't be loaded.
        """
        from offside_data.vlm.folding import fold, unfold
        from offside_data.vlm.models import ADAPTER_CONFIG, base_of_adapter, load_model, swap_adapter

        folder = Path(target.path)
        base = str(Path(base_of_adapter(folder)).resolve()) if (folder / ADAPTER_CONFIG).is_file() else None
        if base is not None and base == self._base:
            unfold(self._model, self._below)
            swap_adapter(self._model, folder)
        else:
            self._model = None  # Two at once may not fit into memory.
            self._model = load_model(target.path, device=target.device, dtype=target.dtype)
        self._base, self._below = base, fold(self._model)
        return self._model


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

    @classmethod
    def of(cls, model: Any, processor: Any, config: EvaluationConfig, *, shelf: Shelf | None = None) -> TargetModel:
        """Find out everything about a model short of loading it.

        Raises:
            ModelError: If its folder has no usable processor or a broken manifest.
        """
        if not isinstance(model, (str, Path)):
            path = str(getattr(model, "name_or_path", "")) or "in memory"
            from offside_data.vlm.digest import weights_digest

            digest, dtype = weights_digest(model), str(model.dtype).removeprefix("torch.")
            role = config.role or "unknown"
            return cls(path, digest, None, role, processor, str(model.device), dtype, model)

        from offside_data.vlm import load_processor
        from offside_data.vlm.digest import model_digest
        from offside_data.vlm.models import default_device

        run = run_manifest.read(model)
        role = config.role or (run.role if run else "unknown")
        if run is None:
            hint = "" if config.role else "; say what it is with --role"
            log(
                f"warning: {model} has no {run_manifest.FILE}, so nothing is known of how it was made: "
                f"evaluated as a plain checkpoint with role {role!r}{hint}."
            )
        if processor is None:
            processor = load_processor(model, max_pixels=config.max_pixels)
        device = config.device or default_device()
        return cls(str(model), model_digest(model), run, role, processor, device, config.dtype, shelf=shelf)

    def load(self) -> Any:
        """The model, in eval mode.

        Raises:
            ModelError: If its folder can't be loaded.
        """
        if self.model is not None:
            return self.model
        return (self.shelf or Shelf()).load(self)
