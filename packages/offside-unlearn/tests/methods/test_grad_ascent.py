from __future__ import annotations

from typing import Any

import pytest


def test_it_is_the_negated_cross_entropy_of_the_forget_answers(bench: Any) -> None:
    output = bench.loss("grad_ascent")
    assert output.loss.item() == pytest.approx(-bench.cross_entropy(bench.batch.forget), rel=1e-5)
    assert output.terms["forget_ce"].item() == pytest.approx(-output.loss.item())
