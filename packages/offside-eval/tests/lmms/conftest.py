"""`lmms-eval` where it is installed, else the little of it that a model needs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

INSTALLED = importlib.util.find_spec("lmms_eval") is not None


@dataclass
class GenerationResult:
    """As in `lmms_eval.api.instance`."""

    text: Any
    token_counts: Any = None


class Lmms:
    """As in `lmms_eval.api.model`."""

    def __init__(self) -> None:
        self.task_dict: dict[str, Any] = {}


@dataclass
class Request:
    """What of `lmms_eval.api.instance.Instance` is read."""

    args: tuple[Any, ...]
    task_name: str = "task"


@pytest.fixture
def request_of() -> type[Request]:
    return Request


@pytest.fixture
def model_class() -> Iterator[Any]:
    """`OffsideModel`."""
    if INSTALLED:
        from offside_eval.lmms.model import OffsideModel

        yield OffsideModel
        return
    modules = {name: ModuleType(name) for name in ("lmms_eval", "lmms_eval.api", "lmms_eval.api.instance")}
    modules["lmms_eval.api.model"] = ModuleType("lmms_eval.api.model")
    modules["lmms_eval.api.model"].lmms = Lmms  # type: ignore[attr-defined]
    modules["lmms_eval.api.instance"].GenerationResult = GenerationResult  # type: ignore[attr-defined]
    sys.modules |= modules
    try:
        from offside_eval.lmms.model import OffsideModel

        yield OffsideModel
    finally:
        for name in (*modules, "offside_eval.lmms.model"):
            sys.modules.pop(name, None)
