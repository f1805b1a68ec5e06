from __future__ import annotations

from typing import Any

import pytest


def test_it_is_the_negated_cross_entropy_of_the_forget_answers(harness: Any) -> None:
    output = harness.loss("grad_ascent")
    assert output.loss.item() == pytest.approx(-harness.cross_entropy(harness.batch.forget), rel=1e-5)
    assert output.terms["forget_ce"].item() == pytest.approx(-output.loss.item())
