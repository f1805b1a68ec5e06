"""Adapters: one published format = one file; `offside_data.adapters` is also their entry-point group.

What an adapter must define: `_base.py`. What it is made of can be imported from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.adapters._base import ADAPTERS, Accumulator, Imported, Picture, ReadOptions, Remark
    from offside_data.errors import SourceError
    from offside_data.schema import Record, SourceRecord

_HOMES = {
    "ADAPTERS": "adapters._base",
    "Accumulator": "adapters._base",
    "Imported": "adapters._base",
    "Picture": "adapters._base",
    "ReadOptions": "adapters._base",
    "Record": "schema",
    "Remark": "adapters._base",
    "SourceError": "errors",
    "SourceRecord": "schema",
}

__all__ = [
    "ADAPTERS",
    "Accumulator",
    "Imported",
    "Picture",
    "ReadOptions",
    "Record",
    "Remark",
    "SourceError",
    "SourceRecord",
]


def __getattr__(name: str) -> Any:
    # Lazy: listing the formats doesn't load the data model.
    if name in _HOMES:
        return getattr(importlib.import_module(f"offside_data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
