from __future__ import annotations

from typing import Any

import pytest


def test_it_teaches_the_refusal_and_never_the_answer(bench: Any) -> None:
    refusal, retain = bench.cross_entropy(bench.batch.refusal), bench.cross_entropy(bench.batch.retain)
    output = bench.loss("po", lambda_r=0.5)
    assert output.loss.item() == pytest.approx(refusal + 0.5 * retain, rel=1e-4)
    assert refusal != pytest.approx(bench.cross_entropy(bench.batch.forget))
