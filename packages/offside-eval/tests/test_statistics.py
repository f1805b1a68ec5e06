"""Intervals, the paired test and Holm's correction."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.errors import UsageError
from offside_eval.statistics import ClusterSums, bootstrap_mean, bootstrap_statistic, holm, paired_test


def test_mean_and_counts() -> None:
    interval = bootstrap_mean([1, 0, 1, 1], ["a", "a", "b", "c"])
    assert interval.value == 0.75
    assert (interval.n, interval.n_clusters) == (4, 3)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low <= 0.75 <= interval.high


def test_same_seed_same_interval_whatever_the_row_order() -> None:
    rng = np.random.default_rng(1)
    values, clusters = rng.random(60), [f"s{i % 9}" for i in range(60)]
    order = rng.permutation(60)
    shuffled = bootstrap_mean(values[order], [clusters[i] for i in order])
    straight = bootstrap_mean(values, clusters)
    assert straight.low == pytest.approx(shuffled.low, abs=1e-12)
    assert straight.high == pytest.approx(shuffled.high, abs=1e-12)
    assert bootstrap_mean(values, clusters, seed=1) != straight


def test_resamples_subjects_not_records() -> None:
    values = [1.0] * 50 + [0.0] * 50
    by_subject = bootstrap_mean(values, ["a"] * 50 + ["b"] * 50)
    by_record = bootstrap_mean(values, [None] * 100)
    assert (by_subject.low, by_subject.high) == (0.0, 1.0)
    assert by_record.low is not None
    assert by_record.low > 0.35


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        levels = rng.normal(0.5, 0.1, size=40)
        values = np.repeat(levels, 5) + rng.normal(0, 0.2, size=200)
        interval = bootstrap_mean(values, np.repeat(np.arange(40), 5).astype(str).tolist(), n_boot=400, seed=trial)
        hits += interval.low <= 0.5 <= interval.high  # type: ignore[operator]
    assert 0.88 <= hits / 200 <= 0.99


def test_one_subject_has_no_interval() -> None:
    interval = bootstrap_mean([1, 0], ["a", "a"])
    assert (interval.value, interval.low, interval.high) == (0.5, None, None)


@pytest.mark.parametrize(
    ("values", "clusters", "said"),
    [([], [], "no values"), ([1.0], ["a", "b"], "2 clusters"), ([float("nan")], ["a"], "NaN")],
)
def test_bad_input_is_refused(values: list[float], clusters: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bootstrap_mean(values, clusters)


def test_no_samples_is_refused() -> None:
    with pytest.raises(UsageError, match="no samples"):
        bootstrap_statistic(lambda means: means[0], [])


def test_the_same_subjects_are_resampled_in_all_models() -> None:
    values = np.random.default_rng(0).random(30)
    clusters = [f"s{i % 6}" for i in range(30)]
    one, other = ClusterSums.of(values, clusters), ClusterSums.of(values + 0.25, clusters)
    interval = bootstrap_statistic(lambda m: m[1] - m[0], [one, other])
    assert interval.low == pytest.approx(0.25)
    assert interval.high == pytest.approx(0.25)


def test_bounds_that_are_not_finite_are_null() -> None:
    up = ClusterSums.of([0.0, 1.0], ["a", "b"])
    interval = bootstrap_statistic(lambda m: 1 / m[0], [up])
    assert interval.value == 2.0
    assert interval.low == 1.0
    assert interval.high is None


def test_a_thousand_resamples_take_milliseconds() -> None:
    values = np.random.default_rng(0).random(1500)
    clusters = [f"s{i % 80}" for i in range(1500)]
    bootstrap_mean(values, clusters, seed=7)
    start = time.process_time()
    bootstrap_mean(values, clusters, seed=8)
    assert time.process_time() - start < 0.2


def test_paired_test_is_exact_for_few_subjects() -> None:
    assert paired_test([1, 1, 1, 1, 1, 1], [0] * 6, list("abcdef")) == 2 / 64
    assert paired_test([1, 0], [1, 0], ["a", "b"]) == 1.0


def test_paired_test_sees_a_difference_and_no_difference() -> None:
    rng = np.random.default_rng(0)
    a, clusters = rng.random(400), [f"s{i % 40}" for i in range(400)]
    assert paired_test(a, a - 0.2 + rng.normal(0, 0.1, 400), clusters) < 0.001
    assert paired_test(a, a + rng.normal(0, 0.1, 400), clusters) > 0.05
    with pytest.raises(UsageError, match="same records"):
        paired_test([1.0], [1.0, 2.0], ["a"])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_ever_raises_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ranked = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)
