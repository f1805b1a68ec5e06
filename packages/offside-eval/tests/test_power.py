"""What is said of a study before it is run holds in studies that are drawn another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from offside_data.errors import UsageError
from offside_eval.power import Assumptions, detectable


def test_independent_records_agree_with_the_textbook() -> None:
    """One record a subject, models that share nothing: the smallest difference of two shares by the t test's power."""
    n, rate = 200, 0.5
    found = detectable("x", [1] * n, Assumptions(rate=rate, within=0.0, between=0.0, studies=2000))
    assert found.smallest is not None
    lower = rate - found.smallest
    error = math.sqrt((rate * (1 - rate) + lower * (1 - lower)) / n)
    quantiles = stats.t.ppf(0.975, n - 1) + stats.norm.ppf(0.8)
    assert found.smallest == pytest.approx(quantiles * error, rel=0.08)
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, n - 1) * math.sqrt(2 * 0.25 / n), rel=0.05)


def test_more_subjects_show_less_and_records_of_one_subject_are_no_new_ones() -> None:
    assumed = Assumptions(studies=300)
    few, many = detectable("x", [6] * 12, assumed), detectable("x", [6] * 48, assumed)
    assert few.smallest is not None
    assert many.smallest is not None
    assert many.smallest < 0.7 * few.smallest
    alike = Assumptions(within=0.95, between=0.0, studies=300)
    once, often = detectable("x", [1] * 24, alike), detectable("x", [10] * 24, alike)
    assert once.smallest is not None
    assert often.smallest is not None
    assert often.smallest > 0.75 * once.smallest
    apart = Assumptions(between=0.0, studies=300)
    assert (detectable("x", [6] * 12, apart).smallest or 1) > few.smallest


def test_the_chance_is_what_was_asked_for_in_studies_drawn_anew() -> None:
    """Another seed and another way to draw: Bernoulli answers of subjects whose rates differ."""
    counts, assumed = [6] * 24, Assumptions(rate=0.8, within=0.2, between=0.0, studies=1500)
    found = detectable("x", counts, assumed)
    assert found.smallest is not None
    rng, seen = np.random.default_rng(7), 0
    from offside_eval.statistics import ClusterSums, estimate

    thresholds = stats.norm.ppf([0.8, 0.8 - found.smallest])
    names = [f"s{i}" for i in range(24) for _ in range(6)]
    for _ in range(400):
        samples = []
        for threshold in thresholds:
            rates = stats.norm.cdf((threshold - math.sqrt(0.2) * rng.standard_normal(24)) / math.sqrt(0.8))
            samples.append(ClusterSums.of((rng.random((24, 6)) < rates[:, None]).astype(float).ravel(), names))
        interval = estimate(lambda means: means[0] - means[1], samples).interval()
        seen += interval.low is not None and interval.low > 0
    assert 0.74 < seen / 400 < 0.86


def test_what_can_not_be_seen_is_said() -> None:
    few = detectable("x", [5] * 5, Assumptions())
    assert few.smallest is None
    assert few.reason == "5 subjects; nothing is decided with fewer than 6"
    rare = detectable("x", [1] * 6, Assumptions(rate=0.1, studies=100))
    assert rare.smallest is None
    assert rare.reason == "not even a model that knows nothing is told from one that knows 0.1"


@pytest.mark.parametrize(
    "wrong", [{"rate": 1.0}, {"power": 0.0}, {"within": 1.0}, {"between": -0.1}, {"rate": math.nan}, {"studies": 3}]
)
def test_impossible_assumptions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Assumptions(**wrong)  # type: ignore[arg-type]
