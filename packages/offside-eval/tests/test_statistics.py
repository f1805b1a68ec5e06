"""Intervals against independent computations, the paired test and Holm's correction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from offside_data.errors import UsageError
from offside_eval.statistics import ClusterSums, Estimate, Statistic, estimate, holm, mean_estimate, paired_test

Floats = npt.NDArray[np.float64]


def forgetting(means: Sequence[Floats]) -> Floats:
    return (means[0] - means[1]) / (means[0] - means[2])


def three_models(k: int = 9, seed: int = 0) -> list[ClusterSums]:
    """Vanilla, an unlearned model and retain-only on the same records, 1 to 12 a subject."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 13, k)
    names = tuple(f"s{i:02}" for i in range(k))
    right = [rng.binomial(counts, rng.beta(*ab, k)) for ab in ((9, 1), (2, 4), (1, 20))]
    return [ClusterSums(names, r.astype(float), counts.astype(float), learnt=i == 0) for i, r in enumerate(right)]


def by_loop(statistic: Callable[..., float], samples: Sequence[ClusterSums]) -> tuple[float, float]:
    """The number and its jackknife standard error, one subject after the other."""

    def number(left_out: int | None) -> float:
        kept = [i for i in range(len(samples[0].names)) if i != left_out]
        return float(statistic([np.array(s.sums[kept].sum() / s.counts[kept].sum()) for s in samples]))

    k, whole = len(samples[0].names), number(None)
    return whole, float(np.sqrt((k - 1) / k * sum((number(i) - whole) ** 2 for i in range(k))))


def test_mean_and_counts() -> None:
    interval = mean_estimate([1, 0, 1, 1], ["a", "a", "b", "c"]).interval()
    assert interval.value == 0.75
    assert (interval.n, interval.n_clusters, interval.n_seeds) == (4, 3, 1)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low <= 0.75 <= interval.high


def test_the_standard_error_of_a_mean_of_equal_clusters_is_that_of_a_t_interval() -> None:
    values = np.random.default_rng(3).random(15)
    found = mean_estimate(values, [f"s{i}" for i in range(15)])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.errors[0] == pytest.approx(stats.sem(values))
    assert found.degrees[0] == 14
    plain = found.errors[0] * stats.t.ppf(0.975, 14)
    assert (found.value - plain, found.value + plain) == pytest.approx((expected.low, expected.high))


def test_the_standard_error_of_a_ratio_of_differences_is_that_of_a_loop() -> None:
    samples = three_models()
    value, error = by_loop(forgetting, samples)
    found = estimate(forgetting, samples)
    assert found.value == pytest.approx(value)
    assert found.errors[0] == pytest.approx(error)


def test_the_standard_error_agrees_with_a_bootstrap_and_with_the_delta_method_where_there_are_many_subjects() -> None:
    samples = three_models(k=400)
    error = float(estimate(forgetting, samples).errors[0])
    columns = [c for s in samples for c in (s.sums, s.counts)]

    def resampled(*sums: Floats, axis: int) -> Floats:
        totals = [c.sum(axis=axis) for c in sums]
        return forgetting([totals[i] / totals[i + 1] for i in (0, 2, 4)])

    drawn = stats.bootstrap(columns, resampled, paired=True, n_resamples=2000, rng=np.random.default_rng(0))
    assert error == pytest.approx(drawn.standard_error, rel=0.06)
    v, u, ro = (s.mean for s in samples)
    slopes = np.array([(u - ro) / (v - ro) ** 2, -1 / (v - ro), (v - u) / (v - ro) ** 2])
    residuals = np.stack([(s.sums - s.counts * s.mean) / s.counts.sum() for s in samples])
    assert error == pytest.approx(float(np.sqrt(((slopes @ residuals) ** 2).sum())), rel=0.02)


def test_one_more_subject_unlike_all_is_what_a_hand_would_add() -> None:
    values = [1.0, 1.0, 0.75, 1.0, 0.5, 1.0]
    found = mean_estimate(values, list("abcdef")).interval()
    plain = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    lost = stats.ttest_1samp([*values, 0.0], 0)
    low = np.mean([*values, 0.0]) - stats.t.ppf(0.975, 5) * stats.sem([*values, 0.0])
    assert lost.df == 6  # a subject that was made up gives no degree of freedom
    assert found.low == pytest.approx(low)
    assert found.low < plain.low
    assert found.high == pytest.approx(plain.high)  # one more that is perfect makes less of a difference


@pytest.mark.parametrize("k", [6, 12, 24, 80])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_where_nothing_varies_the_bound_is_at_least_the_rule_of_three(k: int, confidence: float) -> None:
    found = mean_estimate([1.0] * k, [f"s{i}" for i in range(k)]).interval(confidence)
    one_sided = stats.binomtest(k, k, alternative="greater").proportion_ci(confidence, method="exact").low
    two_sided = stats.binomtest(k, k).proportion_ci(1 - (1 - confidence) / 4, method="exact").low
    assert found.low is not None
    assert found.low <= one_sided + 1e-12
    assert found.low > (two_sided if k > 6 else 0.25)  # and not far below
    assert found.high == 1.0


def test_unequal_subjects_count_as_fewer() -> None:
    even = mean_estimate([1.0] * 80, [f"s{i // 8}" for i in range(80)]).interval()
    uneven = mean_estimate([1.0] * 80, [f"s{max(0, i - 70)}" for i in range(80)]).interval()
    assert (even.n_clusters, uneven.n_clusters) == (10, 10)
    assert uneven.low is not None
    assert even.low is not None
    assert uneven.low < even.low - 0.2


def test_that_vanilla_does_not_know_one_more_subject_is_not_feared() -> None:
    names = tuple("abcdefghijkl")
    ones, tens = np.full(12, 10.0), np.full(12, 10.0)
    own = ClusterSums(names, ones, tens)
    for learnt in (True, False):
        interval = estimate(lambda m: m[0] / m[1], [own, ClusterSums(names, ones, tens, learnt)]).interval()
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < 0.8
        assert (interval.high == 1.0) is learnt


def test_scores_that_leave_zero_to_one_are_bounded_by_what_was_seen() -> None:
    names = [f"s{i}" for i in range(8)]
    values = np.array([-0.3, -0.2, -0.3, -0.1, -0.3, -0.2, -0.3, -0.25])
    found = mean_estimate(values, names).interval()
    assert found.high is not None
    assert found.high < 0


def test_the_row_order_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    values, clusters = rng.random(60), [f"s{i % 9}" for i in range(60)]
    order = rng.permutation(60)
    shuffled = mean_estimate(values[order], [clusters[i] for i in order]).interval()
    straight = mean_estimate(values, clusters).interval()
    assert straight.low == pytest.approx(shuffled.low, abs=1e-12)
    assert straight.high == pytest.approx(shuffled.high, abs=1e-12)


def test_subjects_are_left_out_not_records() -> None:
    values = [1.0] * 50 + [0.0] * 50
    by_subject = mean_estimate(values, ["a"] * 50 + ["b"] * 50)
    by_record = mean_estimate(values, [None] * 100)
    assert by_subject.errors[0] == pytest.approx(0.5)
    assert by_record.errors[0] == pytest.approx(0.0503, abs=1e-4)


def test_samples_of_different_subjects_leave_each_out_of_its_own() -> None:
    one = ClusterSums.of([1.0, 0.0, 1.0, 1.0], list("abcd"))
    other = ClusterSums.of([0.0, 1.0, 0.0], list("dxy"))
    found = estimate(lambda m: m[0] - m[1], [one, other])
    assert found.value == pytest.approx(0.75 - 1 / 3)
    assert (found.n, found.n_clusters) == (3, 3)
    union = [0.75 - 1 / 3 for _ in range(6)]  # a b c d x y
    union[0] = union[2] = 2 / 3 - 1 / 3
    union[1] = 1 - 1 / 3
    union[3] = 2 / 3 - 1 / 2
    union[4], union[5] = 0.75 - 0, 0.75 - 1 / 2
    expected = np.sqrt(5 / 6 * sum((u - found.value) ** 2 for u in union))
    assert found.errors[0] == pytest.approx(expected)


def test_a_record_in_several_samples_counts_once() -> None:
    def of(records: Sequence[str]) -> ClusterSums:
        return ClusterSums.of([1.0] * len(records), [r[0] for r in records], records=records)

    both = estimate(lambda m: m[0] - m[1], [of(["a1", "a2", "b1"]), of(["a1", "c1"])])
    assert both.n == 4
    assert both.n_clusters == 2


def test_the_p_value_is_where_the_interval_just_reaches() -> None:
    found = estimate(forgetting, three_models())
    interval = found.interval()
    assert interval.low is not None
    assert interval.high is not None
    assert found.p_value(interval.low) == pytest.approx(0.05)
    assert found.p_value(interval.high) == pytest.approx(0.05)
    assert found.p_value(found.value) == 1.0
    wide = found.interval(0.999)
    assert wide.low is not None
    assert found.p_value(wide.low) == pytest.approx(0.001)
    certain = mean_estimate([1.0] * 30, [f"s{i}" for i in range(30)])
    assert certain.p_value(0.9) == pytest.approx(0.9**30, rel=0.1)  # 30 subjects of whom none is lost
    assert certain.p_value(1.0) == 1.0


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    sums = rng.binomial(5, rng.beta(5, 5, (400, 40))).astype(float)
    low, high = estimate(
        lambda m: m[0], [ClusterSums(tuple(map(str, range(40))), sums, np.full((400, 40), 5.0))]
    ).bounds()
    assert 0.93 <= ((low <= 0.5) & (high >= 0.5)).mean() <= 0.995


def test_a_loss_that_few_subjects_suffered_is_not_missed() -> None:
    # One subject in eight lost everything; none of the twelve seen did, which happens to one study in five.
    interval = mean_estimate([1.0] * 96, [f"s{i // 8}" for i in range(96)]).interval()
    assert interval.low is not None
    assert interval.low < 0.88


def test_one_subject_has_no_interval_and_the_reason_says_so() -> None:
    found = mean_estimate([1, 0], ["a", "a"])
    interval = found.interval()
    assert (interval.value, interval.low, interval.high) == (0.5, None, None)
    assert "one subject" in (interval.reason or "")
    assert found.p_value(0.1) is None


def test_a_number_that_needs_every_subject_has_no_bounds() -> None:
    up = ClusterSums.of([0.0, 1.0], ["a", "b"])
    interval = estimate(lambda m: 1 / m[0], [up]).interval()
    assert interval.value == 2.0
    assert (interval.low, interval.high) == (None, None)
    assert "can't be computed" in (interval.reason or "")


@pytest.mark.parametrize(
    ("values", "clusters", "said"),
    [([], [], "no values"), ([1.0], ["a", "b"], "2 clusters"), ([float("nan")], ["a"], "NaN")],
)
def test_bad_input_is_refused(values: list[float], clusters: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        mean_estimate(values, clusters)


def test_no_samples_is_refused() -> None:
    with pytest.raises(UsageError, match="no samples"):
        estimate(lambda means: means[0], [])


def of_seeds(per_seed: Sequence[Sequence[float]]) -> Estimate:
    samples = [ClusterSums.of(values, list("abcdefgh")) for values in per_seed]

    def without(seed: int | None) -> Callable[[Sequence[Floats]], Floats]:
        return lambda m: np.mean(np.stack([x for i, x in enumerate(m) if i != seed]), axis=0)

    return estimate(without(None), samples, [[without(seed) for seed in range(len(samples))]])


def test_the_variance_over_seeds_comes_on_top_of_that_over_subjects() -> None:
    subjects = np.linspace(0.3, 0.7, 8)
    found = of_seeds([subjects + shift for shift in (-0.1, 0.0, 0.13)])
    over_subjects = stats.sem(subjects) ** 2
    over_seeds = np.var([-0.1, 0.0, 0.13], ddof=1) / 3
    assert found.n_seeds == 3
    assert found.errors[0] ** 2 == pytest.approx(over_subjects + over_seeds)
    quantiles = stats.t.ppf(0.975, 7), stats.t.ppf(0.975, 2)
    quantile = np.average(quantiles, weights=[over_subjects, over_seeds])  # Cochran's
    assert found._quantile(0.05)[0] == pytest.approx(quantile)
    low, high = found.bounds()
    assert low <= found.value - quantile * found.errors[0] < found.value + quantile * found.errors[0] <= high


@pytest.mark.parametrize("n_seeds", [2, 3])
def test_over_seeds_too_the_p_value_is_where_the_interval_just_reaches(n_seeds: int) -> None:
    rng = np.random.default_rng(3)
    found = of_seeds(rng.uniform(0.3, 0.7, (n_seeds, 8)))
    for confidence in (0.2, 0.9, 0.95, 0.999):
        for bound in map(float, found.bounds(confidence)):
            assert found.p_value(bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_two_seeds_that_agree_by_luck_do_not_make_a_method_sure() -> None:
    """Seeds differ by 0.06, subjects by little: each of 4,000 studies of two seeds and 80 subjects knows that."""
    rng = np.random.default_rng(1)
    of_seed, of_subject = rng.normal(0.6, 0.06, (2, 4000, 1)), rng.normal(0, 0.1, (4000, 80))
    ones, names = np.ones((4000, 80)), tuple(f"{i:02}" for i in range(80))
    samples = [ClusterSums(names, seed + of_subject, ones) for seed in of_seed]
    without: list[Statistic] = [lambda m: m[1], lambda m: m[0]]
    low, high = estimate(lambda m: (m[0] + m[1]) / 2, samples, [without]).bounds()
    assert ((low <= 0.6) & (high >= 0.6)).mean() >= 0.94


def test_one_seed_speaks_of_these_weights_only() -> None:
    subjects = np.linspace(0.3, 0.7, 8)
    one, alone = of_seeds([subjects]), mean_estimate(subjects, list("abcdefgh"))
    assert one.n_seeds == 1
    assert one.interval() == alone.interval()


def test_ten_thousand_subjects_take_milliseconds() -> None:
    samples = three_models(k=10_000)
    start = time.process_time()
    estimate(forgetting, samples).interval()
    assert time.process_time() - start < 0.5


def test_paired_test_by_signs_is_a_permutation_test() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.05, 0.1, 14)
    found = paired_test(differences, np.zeros(14), [f"s{i}" for i in range(14)])
    exact = stats.permutation_test(
        (differences,), lambda x, axis: np.abs(x.mean(axis=axis)), permutation_type="samples",
        alternative="greater", n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert found == pytest.approx(exact, abs=0.015)


def test_paired_test_of_few_subjects_draws_webbs_weights() -> None:
    differences = [0.3, 0.1, 0.2, -0.05, 0.25, 0.15, 0.2]
    found = paired_test(differences, [0.0] * 7, list("abcdefg"))
    signs = {paired_test(differences, [0.0] * 7, list("abcdefg"), seed=seed) for seed in range(3)}
    assert len(signs) > 1  # 2^7 patterns of signs would give a multiple of 1/128 whatever is drawn
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_paired_test_never_claims_more_than_all_signs_alike() -> None:
    assert paired_test([1] * 6, [0] * 6, list("abcdef")) == 2 / 64
    assert paired_test([1, 0], [1, 0], ["a", "b"]) == 1.0
    assert paired_test([1, 1, 0, 0], [0, 0, 1, 1], list("abcd")) == 1.0


def test_paired_test_sees_a_difference_and_no_difference() -> None:
    rng = np.random.default_rng(0)
    a, clusters = rng.random(400), [f"s{i % 40}" for i in range(400)]
    assert paired_test(a, a - 0.2 + rng.normal(0, 0.1, 400), clusters) < 0.001
    assert paired_test(a, a + rng.normal(0, 0.1, 400), clusters) > 0.05
    with pytest.raises(UsageError, match="same records"):
        paired_test([1.0], [1.0, 2.0], ["a"])
    with pytest.raises(UsageError, match="one subject only"):
        paired_test([1.0, 0.5], [0.0, 0.0], ["a", "a"])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_ever_raises_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ranked = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)
