"""Exporters: one target format = one file; `offside_data.exporters` is also their entry-point group.

What an exporter must define: `_base.py`. What it is made of can be imported from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.exporters._base import EXPORTERS, Exported, Loss, Selection
    from offside_data.exporters._pictures import Pictures

_HOMES = {"EXPORTERS": "_base", "Exported": "_base", "Loss": "_base", "Pictures": "_pictures", "Selection": "_base"}

__all__ = ["EXPORTERS", "Exported", "Loss", "Pictures", "Selection"]


def __getattr__(name: str) -> Any:
    # Lazy: listing the formats doesn't load the data model.
    if name in _HOMES:
        return getattr(importlib.import_module(f"offside_data.exporters.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
