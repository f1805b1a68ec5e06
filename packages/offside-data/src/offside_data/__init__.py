"""Versioned, card-carrying datasets of claims about subjects; works without torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offside_data.dataset.card import Card
    from offside_data.dataset.folder import OffsideDataset, load, open_dataset
    from offside_data.schema import Record
    from offside_data.taxonomy import Taxonomy, load_taxonomy

__all__ = ["Card", "OffsideDataset", "Record", "Taxonomy", "load", "load_taxonomy", "open_dataset"]

_HOMES = {
    "Card": "dataset.card",
    "OffsideDataset": "dataset.folder",
    "Record": "schema",
    "Taxonomy": "taxonomy",
    "load": "dataset.folder",
    "load_taxonomy": "taxonomy",
    "open_dataset": "dataset.folder",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `offside-data --help` doesn't pay for datasets and pyarrow.
    if name not in _HOMES:
        raise AttributeError(f"module 'offside_data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"offside_data.{_HOMES[name]}"), name)
