"""One file, one method. Third parties add theirs through the entry points `offside_unlearn.methods`.

What a method is made of can be imported from here; nothing is loaded before it is asked for, so that
listing the methods stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_unlearn.methods._base import (
        LossOutput,
        MethodConfig,
        Needs,
        Paper,
        RetentionConfig,
        UnlearningMethod,
        answer_loss,
        answers,
        retention_needs,
        with_retention,
    )

__all__ = [
    "LossOutput",
    "MethodConfig",
    "Needs",
    "Paper",
    "RetentionConfig",
    "UnlearningMethod",
    "answer_loss",
    "answers",
    "retention_needs",
    "with_retention",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("offside_unlearn.methods._base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
