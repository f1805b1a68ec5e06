from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from offside_eval.metrics import Sample, load_metric
from offside_eval.metrics.truth_ratio import log_ratio


def test_a_broken_model_scores_nothing(sample: Callable[..., Sample]) -> None:
    for others, true in (((math.nan, -1.0), -1.0), ((-math.inf, -1.0), -1.0), ((-1.0, -2.0), -math.inf)):
        for split in ("forget", "retain"):
            asked = sample(alternative_logprobs=others, paraphrase_logprobs=(true,), split=split)
            for name in ("truth_ratio", "truth_ratio:geometric"):
                found = load_metric(name).score(asked)
                assert (found.value, found.kind) == (0.0, "broken")


def test_the_ratio_is_that_of_means_of_probabilities() -> None:
    """By hand: (0.1 + 0.3) / 2 over 0.4, and the root of 0.1 * 0.3 over 0.4."""
    others, true = (math.log(0.1), math.log(0.3)), math.log(0.4)
    assert math.exp(log_ratio(others, true)) == pytest.approx(0.5, abs=1e-6)
    assert math.exp(log_ratio(others, true, "geometric")) == pytest.approx(math.sqrt(0.03) / 0.4, abs=1e-6)
