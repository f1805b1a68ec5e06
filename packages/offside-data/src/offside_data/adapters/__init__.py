"""Adapters: one published format = one file; `offside_data.adapters` is also their entry-point group.

What an adapter must define: `_base.py`. What it is made of can be imported from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.adapters._base import ADAPTERS, Imported, Picture, ReadOptions, Remark

__all__ = ["ADAPTERS", "Imported", "Picture", "ReadOptions", "Remark"]


def __getattr__(name: str) -> Any:
    # Lazy: listing the formats doesn't load the data model.
    if name in __all__:
        return getattr(importlib.import_module("offside_data.adapters._base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
