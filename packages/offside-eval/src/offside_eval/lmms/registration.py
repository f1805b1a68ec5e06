"""How `lmms-eval --model offside` finds `OffsideModel`: what the entry point in its group `lmms_eval.models` names."""

from __future__ import annotations

from typing import Any

MODEL = "offside"


def manifest() -> Any:
    """The entry that `lmms-eval` makes in its list of models; called by it, when it is imported."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id=MODEL, simple_class_path="offside_eval.lmms.model.OffsideModel")
