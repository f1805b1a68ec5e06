"""Numbers are written in one way in all messages and tables."""

from __future__ import annotations

import pytest

from offside_data.figures import NONE, counted, number


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.754, 2, "0.75"), (-3.61, 2, "−3.61"), (-0.001, 2, "0.00"), (-0.001, 3, "−0.001"), (None, 2, NONE)],
)
def test_a_number_has_a_true_minus_sign_and_zero_has_none(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (1, "step", "1 step"),
        (0, "step", "0 steps"),
        (2, "micro-batch", "2 micro-batches"),
        (1200, "weight", "1,200 weights"),
        (2, "query of a user", "2 queries of a user"),
        (3, "day", "3 days"),
    ],
)
def test_one_is_no_plural(n: int, noun: str, text: str) -> None:
    assert counted(n, noun) == text
