"""Samples to score, made from a few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from offside_data.schema import ClaimValue
from offside_data.taxonomy import Attribute, load_taxonomy
from offside_eval.metrics import Sample

FEE = load_taxonomy("football")["fee"]


@pytest.fixture
def sample() -> Callable[..., Sample]:
    """`sample("an answer", answer="the gold answer")`: a sample about a fee of 35 million euros."""

    def make(prediction: str = "", *, attribute: Attribute = FEE, **fields: Any) -> Sample:
        defaults = {
            "record_id": "r1",
            "answer": "The transfer fee was €35.00m.",
            "value": ClaimValue(kind="amount", text="€35.00m", number=35e6, currency="EUR"),
            "prediction": prediction,
        }
        return Sample(**(defaults | fields), attribute=attribute)

    return make
