"""Evaluation of unlearning in vision-language models: settings, metrics, controls, intervals, a report."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_eval.config import EvaluationConfig
    from offside_eval.evaluation import evaluate
    from offside_eval.results import Results

__all__ = ["EvaluationConfig", "Results", "evaluate"]

_MODULES = {
    "EvaluationConfig": "config",
    "Results": "results",
    "evaluate": "evaluation",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `offside-eval --help` doesn't pay for torch and polars.
    if name not in _MODULES:
        raise AttributeError(f"module 'offside_eval' has no attribute {name!r}")
    return getattr(importlib.import_module(f"offside_eval.{_MODULES[name]}"), name)
