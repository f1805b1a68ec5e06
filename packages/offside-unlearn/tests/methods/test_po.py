from __future__ import annotations

from typing import Any

import pytest


def test_it_teaches_the_refusal_and_never_the_answer(harness: Any) -> None:
    refusal, retain = harness.cross_entropy(harness.batch.refusal), harness.cross_entropy(harness.batch.retain)
    output = harness.loss("po", lambda_r=0.5)
    assert output.loss.item() == pytest.approx(refusal + 0.5 * retain, rel=1e-4)
    assert refusal != pytest.approx(harness.cross_entropy(harness.batch.forget))
