"""One file, one kind of relearning attack: which records an attacker trains on.

Third parties add theirs through the entry points `offside_unlearn.attacks`. A file holds a docstring, `NEEDS_REQUEST`
(whether it must know what was to be forgotten) and `taught`, a function of a `Target` that gives `TaughtRecords`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_unlearn.attacks._base import Target, TaughtRecords, half

__all__ = ["Target", "TaughtRecords", "half"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("offside_unlearn.attacks._base"), name)
