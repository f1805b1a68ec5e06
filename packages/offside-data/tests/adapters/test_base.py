from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_data.adapters import _base, offside
from offside_data.adapters._base import Imported, Remark, recognise
from offside_data.errors import SourceError, UsageError


class FakeRegistry:
    """Stands in for the registry, so that a module can be tried that isn't installed."""

    def __init__(self, **modules: ModuleType) -> None:
        self.modules = modules

    def names(self) -> list[str]:
        return sorted(self.modules)

    def load(self, name: str) -> ModuleType:
        return self.modules[name]


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name, "A format.")
    made.__dict__.update(members)
    return made


def test_a_source_that_two_formats_recognise_needs_a_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    twin = module("twin", **{k: getattr(offside, k) for k in ("TAXONOMY", "recognises", "read", "example")})
    monkeypatch.setattr(_base, "ADAPTERS", FakeRegistry(offside=offside, twin=twin))
    with pytest.raises(UsageError, match=r"looks like several formats: offside, twin\. Choose one with --format"):
        recognise(offside.example(tmp_path))


def test_rows_that_vanish_are_a_fault_of_the_adapter() -> None:
    remarks = [Remark(kind=kind, file="a", index=0, why="") for kind in ("rejected", "duplicate", "note")]
    Imported(rows=2, remarks=remarks).check_accounts()
    with pytest.raises(SourceError, match="read 3 rows but accounts for 0 records and 2 rows left out"):
        Imported(rows=3, remarks=remarks).check_accounts()
