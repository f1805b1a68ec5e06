"""Loaded models and encoded questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import open_dataset
from offside_data.vlm import load_model, load_processor
from offside_eval.inference.asking import Item
from offside_eval.inference.engine import Engine
from offside_eval.plan import Question, make_plan

NEEDS = frozenset({"generation", "choices", "likelihood", "alternatives"})


@pytest.fixture(scope="session")
def questions(small_data: Path) -> list[Question]:
    return list(make_plan(open_dataset(small_data), "complete").questions.values())


@pytest.fixture(scope="session")
def loaded(models: dict[str, Path]) -> Callable[[str], tuple[Any, Any]]:
    known: dict[str, tuple[Any, Any]] = {}

    def load(name: str) -> tuple[Any, Any]:
        if name not in known:
            known[name] = load_model(models[name], device="cpu"), load_processor(models[name])
        return known[name]

    return load


@pytest.fixture(scope="session")
def items(questions: list[Question], loaded: Callable[[str], tuple[Any, Any]]) -> list[Item]:
    """Encoded questions; the three models share one tokenizer."""
    model, processor = loaded("raw")
    return Engine(model=model, processor=processor).encode(questions, NEEDS)
