from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

import offside_data.vlm
from offside_data.errors import UsageError


def test_every_public_name_is_there() -> None:
    for name in offside_data.vlm.__all__:
        assert getattr(offside_data.vlm, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = offside_data.vlm.nonsense  # type: ignore[attr-defined]


def test_without_torch_the_error_says_what_to_install(monkeypatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r'pip install "offside-data\[vlm\]"'):
        _ = offside_data.vlm.Encoder


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, offside_data.vlm; print('torch' in sys.modules, 'transformers' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.split() == [b"False", b"False"]
