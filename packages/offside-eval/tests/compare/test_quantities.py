"""Quantities: ratios and averages of means with one joint interval."""

from __future__ import annotations

import numpy as np
import pytest

from offside_eval.compare.quantities import (
    average,
    combine,
    difference,
    harmonic_mean,
    mean_of,
    ratio,
    unscored,
)
from offside_eval.statistics import ClusterSums

CLUSTERS = ["a", "a", "b", "b", "c", "c"]


def quantity(*values: float, n_skipped: int = 0):  # type: ignore[no-untyped-def]
    return mean_of(ClusterSums.of(list(values), CLUSTERS[: len(values)]), n_skipped)


def test_ratio_of_differences_by_hand() -> None:
    vanilla, unlearned, retain_only = (
        quantity(1, 1, 1, 1, 1, 1),
        quantity(1, 0, 0, 0, 0, 0),
        quantity(0, 0, 0, 0, 0, 0),
    )
    forgetting = ratio(difference(vanilla, unlearned), difference(vanilla, retain_only), "the gap")
    assert forgetting.value == pytest.approx(5 / 6)
    interval = forgetting.figure().interval
    assert interval is not None
    assert (interval.n, interval.n_clusters) == (6, 3)
    assert interval.low == pytest.approx(0.5)
    assert interval.high == pytest.approx(1.0)


def test_a_small_denominator_is_not_scored_and_says_so() -> None:
    figure = ratio(quantity(1, 1), quantity(0.04, 0.04), "what vanilla knows").figure()
    assert figure.value is None
    assert "what vanilla knows is 0.040" in (figure.reason or "")
    assert ratio(quantity(1, 1), quantity(0.05, 0.05), "it").value == pytest.approx(20)
    assert ratio(quantity(1, 1), quantity(-0.5, -0.5), "it").value is None


def test_a_ratio_is_not_clipped() -> None:
    assert ratio(quantity(3, 3), quantity(2, 2), "it").value == 1.5


def test_unscored_parts_make_the_whole_unscored() -> None:
    whole = average([quantity(1, 1), unscored("no retain-only", 3)])
    assert whole.value is None
    assert whole.figure().reason == "no retain-only"
    assert whole.figure().n_skipped == 3
    assert average([]).figure().reason == "there is nothing to average"


def test_harmonic_mean_is_zero_where_one_is() -> None:
    assert harmonic_mean(quantity(0.5, 0.5), quantity(1, 1)).value == pytest.approx(2 / 3)
    assert harmonic_mean(quantity(0, 0), quantity(1, 1)).value == 0
    assert harmonic_mean(quantity(-0.1, -0.1), quantity(1, 1)).value == 0


def test_parts_share_their_resamples() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(6)
    same = difference(quantity(*values), quantity(*values)).figure().interval
    assert same is not None
    assert (same.low, same.high) == (0, 0)


def test_nesting_hands_each_part_its_own_means() -> None:
    inner = combine(lambda v: v[0] * 10 + v[1], quantity(1, 1), quantity(2, 2))
    outer = combine(lambda v: v[0] * 100 + v[1], quantity(3, 3), inner)
    assert outer.value == 312


def test_a_figure_as_json_has_every_key_even_when_unscored() -> None:
    scored, not_scored = quantity(1, 0, n_skipped=2).figure().to_dict(), unscored("why", 1).figure().to_dict()
    assert scored.keys() == not_scored.keys()
    assert scored["n_skipped"] == 2
    assert not_scored == {
        "value": None,
        "low": None,
        "high": None,
        "n_scored": 0,
        "n_skipped": 1,
        "n_subjects": 0,
        "reason": "why",
    }
