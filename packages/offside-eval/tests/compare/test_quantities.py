"""Quantities: ratios and averages of means with one joint interval."""

from __future__ import annotations

import numpy as np
import pytest

from offside_eval.compare.quantities import (
    Quantity,
    average,
    combine,
    difference,
    harmonic_mean,
    mean_of,
    over_seeds,
    ratio,
    unscored,
    worst,
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
    # Without a, b, c: 1, 3/4, 3/4; the jackknife's error is sqrt(2/3 * (1/36 + 2 * 1/144)).
    assert forgetting.estimate is not None
    assert forgetting.estimate.errors[0] == pytest.approx((2 / 3 * (1 / 36 + 2 / 144)) ** 0.5)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 0.5
    assert interval.high > 1.0


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


def test_parts_leave_the_same_subject_out() -> None:
    values = np.random.default_rng(0).random(6)
    same = difference(quantity(*values), quantity(*values)).estimate
    assert same is not None
    assert same.errors[0] == 0
    interval = same.interval()  # two models that agreed on three subjects may differ on the fourth
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 0 < interval.high


def seeds_of(*per_seed: float) -> list[Quantity]:
    """A quantity a seed, made of two means each."""
    one = quantity(1, 1, 0, 1, 1, 0)
    return [difference(one, quantity(*(np.array([0.1, 0.3, 0.2, 0.2, 0.0, 0.4]) + shift))) for shift in per_seed]


def test_over_seeds_is_a_mean_with_the_variance_over_seeds() -> None:
    over = over_seeds(seeds_of(0.0, 0.1, 0.3))
    plain = average(seeds_of(0.0, 0.1, 0.3))
    assert over.value == plain.value
    assert over.estimate is not None
    assert plain.estimate is not None
    added = over.estimate.errors[0] ** 2 - plain.estimate.errors[0] ** 2
    assert added == pytest.approx(np.var([0.0, 0.1, 0.3], ddof=1) / 3)
    assert over.figure().interval.n_seeds == 3  # type: ignore[union-attr]


def test_what_is_made_of_numbers_over_seeds_is_over_seeds() -> None:
    one, other = over_seeds(seeds_of(0.0, 0.1, 0.3)), over_seeds(seeds_of(0.0, 0.2))
    whole = combine(lambda v: 2 * v[0] - v[1], one, other)
    plain = combine(lambda v: 2 * v[0] - v[1], average(seeds_of(0.0, 0.1, 0.3)), average(seeds_of(0.0, 0.2)))
    assert whole.estimate is not None
    assert plain.estimate is not None
    added = whole.estimate.errors[0] ** 2 - plain.estimate.errors[0] ** 2
    expected = 4 * np.var([0.0, 0.1, 0.3], ddof=1) / 3 + np.var([0.0, 0.2], ddof=1) / 2
    assert added == pytest.approx(expected)
    assert whole.figure().to_dict()["n_seeds"] == 2


def test_one_seed_changes_nothing() -> None:
    (one,) = seeds_of(0.1)
    assert over_seeds([one]).figure() == one.figure()
    assert over_seeds([one, unscored("not measured")]).figure().reason == "not measured"


def test_the_worst_is_named_and_what_is_not_scored_passed_over() -> None:
    sets = {"a": quantity(1, 1), "b": unscored("vanilla doesn't know it"), "c": quantity(0.5, 0.5)}
    found = worst(sets).figure()
    assert (found.value, found.of) == (0.5, "c")
    assert worst({"b": sets["b"]}).figure().reason == "vanilla doesn't know it"


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
        "n_seeds": 0,
        "of": None,
        "reason": "why",
    }
