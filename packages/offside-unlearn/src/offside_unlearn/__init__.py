"""Train, unlearn and relearn vision-language models on datasets that carry a card.

import offside_unlearn

run = offside_unlearn.unlearn("npo", "vanilla", None, "./league", "complete", {"lr": 1e-4}, "runs/npo")
run.path       # loads with plain peft, on run.manifest["base_model"]["path"]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_unlearn.api import (
        METHODS,
        Run,
        RunOptions,
        finetune,
        load_method,
        make_tiny,
        merge,
        relearn,
        unlearn,
    )

__all__ = [
    "METHODS",
    "Run",
    "RunOptions",
    "finetune",
    "load_method",
    "make_tiny",
    "merge",
    "relearn",
    "unlearn",
]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: only who uses the functions pays.
    if name in __all__:
        return getattr(importlib.import_module("offside_unlearn.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
