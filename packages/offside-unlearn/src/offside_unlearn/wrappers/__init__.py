"""One file, one wrapper: what strengthens any method that trains, asked for as `METHOD+WRAPPER`, e.g. `npo+sam`.

Third parties add theirs through the entry points `offside_unlearn.wrappers`. A wrapper's file holds what a method's
does: a module docstring (the paper, the formula, where the code deviates), `PAPER`, `Config`, and `Wrapper`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.paper import Paper
    from offside_unlearn.task import UnlearnTask
    from offside_unlearn.wrappers._base import UnlearningWrapper, WrapperConfig

__all__ = ["Paper", "UnlearnTask", "UnlearningWrapper", "WrapperConfig"]

_ELSEWHERE = {"Paper": "offside_data.paper", "UnlearnTask": "offside_unlearn.task"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "offside_unlearn.wrappers._base")), name)
