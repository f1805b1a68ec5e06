"""Coefficients: equal to hand-computed figures, to the libraries on every resample, and undefined where they are."""

from __future__ import annotations

import random

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from offside_data.annotation.statistics import (
    Votes,
    alphas_of,
    cohen_kappa,
    confusion,
    kappas_of,
    krippendorff_alpha,
)

PAIRS = [("fact", "fact")] * 7 + [("rumor", "fact")] * 2 + [("rumor", "rumor")] * 2
"""Seen 9/11; by chance 7/11 * 9/11 + 4/11 * 2/11 = 71/121: kappa is (99 - 71) / (121 - 71)."""


def test_kappa_by_hand() -> None:
    found = cohen_kappa(PAIRS)
    assert found.value == pytest.approx(28 / 50)
    assert (found.items, found.agree) == (11, 9 / 11)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 28 / 50 < found.high
    assert confusion(PAIRS) == {"fact": {"fact": 7, "rumor": 0}, "rumor": {"fact": 2, "rumor": 2}}


def test_alpha_by_hand() -> None:
    """Four records, two annotators: of 8 answers 5 are fact; 1 record differs. 1 - (8-1) * 2 / (64 - 25 - 9)."""
    items: list[Votes] = [{"a1": "fact", "a2": "fact"}] * 2 + [{"a1": "rumor", "a2": "rumor"}]
    items += [{"a1": "fact", "a2": "rumor"}, {"a1": "fact"}]  # One answer alone says nothing of agreement.
    found = krippendorff_alpha(items)
    assert found.value == pytest.approx(1 - 7 * 2 / 30)
    assert (found.items, found.agree) == (4, 0.75)


def test_where_all_say_the_same_nothing_is_defined() -> None:
    for found in (krippendorff_alpha([{"a": "x", "b": "x"}] * 5), cohen_kappa([("x", "x")] * 5)):
        assert (found.value, found.low, found.agree) == (None, None, 1.0)
    assert krippendorff_alpha([]).value is None


def test_full_agreement_has_no_interval() -> None:
    found = cohen_kappa([("x", "x")] * 5 + [("y", "y")] * 5)
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_resamples_are_what_the_libraries_say() -> None:
    draw = random.Random(5)
    votes = [{f"a{k}": draw.choice("xyz") for k in range(draw.randint(2, 4))} for _ in range(30)]
    rows = np.array([[list(v.values()).count(x) for x in "xyz"] for v in votes])
    pairs = [(draw.choice("xyz"), draw.choice("xxy")) for _ in range(30)]
    cells = np.array([[a == x and b == y for x in "xyz" for y in "xyz"] for a, b in pairs]).astype(int)
    times = np.random.default_rng(1).multinomial(30, [1 / 30] * 30, size=20)
    for drawn, alpha, kappa in zip(times, alphas_of(rows, times), kappas_of(cells, times), strict=True):
        again = np.repeat(np.arange(30), drawn)
        assert alpha == pytest.approx(krippendorff.alpha(value_counts=rows[again], level_of_measurement="nominal"))
        first, second = ([pairs[i][side] for i in again] for side in (0, 1))
        assert kappa == pytest.approx(cohen_kappa_score(first, second))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Two annotators of known error on 80 records; kappa of the whole population is known."""
    truth, hits, draw = None, 0, random.Random(9)

    def pair() -> tuple[str, str]:
        real = draw.random() < 0.4
        return tuple("rumor" if (real if draw.random() < 0.85 else not real) else "fact" for _ in range(2))  # type: ignore[return-value]

    truth = cohen_kappa([pair() for _ in range(200_000)]).value
    assert truth is not None
    for seed in range(200):
        found = cohen_kappa([pair() for _ in range(80)], seed)
        hits += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert 0.90 <= hits / 200 <= 0.99
