"""One file, one method. Third parties add theirs through the entry points `offside_unlearn.methods`.

All that a method is made of can be imported from here; nothing is loaded before it is asked for, so that
listing the methods stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.paper import Paper
    from offside_unlearn import losses
    from offside_unlearn.batches import BatchPlan, Needs, PairedBatch, Side
    from offside_unlearn.methods._base import (
        EditingMethod,
        InterveningMethod,
        LossOutput,
        MethodConfig,
        RetentionConfig,
        UnlearningMethod,
        answer_loss,
        answers,
        retention_needs,
        with_retention,
    )
    from offside_unlearn.reference import ReferenceModel
    from offside_unlearn.sides import RequestRecords, SideRecords
    from offside_unlearn.space import COMPARISON, LEARNING_RATES, SearchChoices, SearchRange, Space

__all__ = [
    "COMPARISON",
    "LEARNING_RATES",
    "BatchPlan",
    "EditingMethod",
    "InterveningMethod",
    "LossOutput",
    "MethodConfig",
    "Needs",
    "PairedBatch",
    "Paper",
    "ReferenceModel",
    "RequestRecords",
    "RetentionConfig",
    "SearchChoices",
    "SearchRange",
    "Side",
    "SideRecords",
    "Space",
    "UnlearningMethod",
    "answer_loss",
    "answers",
    "losses",
    "retention_needs",
    "with_retention",
]

_ELSEWHERE = {
    "Paper": "offside_data.paper",
    **dict.fromkeys(("COMPARISON", "LEARNING_RATES", "SearchChoices", "SearchRange", "Space"), "offside_unlearn.space"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "offside_unlearn.methods._base")), name)
