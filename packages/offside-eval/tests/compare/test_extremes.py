"""The worst of means, and no mean of worst ones."""

from __future__ import annotations

import numpy as np
import pytest

from offside_eval.compare.extremes import with_extremes
from offside_eval.compare.quantities import Quantity, average, mean_of, unscored
from offside_eval.statistics import ClusterSums


def known(value: float) -> Quantity:
    """A mean over eight subjects."""
    return mean_of(ClusterSums.of(np.full(8, value), [f"s{i}" for i in range(8)]))


def test_over_seeds_keeping_is_the_worst_mean_and_names_its_set() -> None:
    seeds = [(0.6, 0.9), (1.0, 0.5)]  # each seed has another worst set: a mean of these would say 0.55
    a, b = (average([known(of_seed[i]) for of_seed in seeds]) for i in range(2))
    found = with_extremes({"forgetting": known(0.8), "keeping": known(0.55), "keeping/text/retain": a, "keeping/x": b})
    assert found["keeping"].value == pytest.approx(0.7)
    assert found["keeping"].of == "x"
    assert found["balance"].value == pytest.approx(2 * 0.8 * 0.7 / 1.5)


def test_a_set_with_scopes_counts_scope_by_scope() -> None:
    sets = {"keeping/a": known(0.5), "keeping/a/private": known(0.7), "keeping/a/shared": known(0.9)}
    assert with_extremes(sets)["keeping"].of == "a/private"


def test_the_least_view_leads_if_there_are_several() -> None:
    views = {"forgetting": known(0.75), "forgetting_by_choice": known(0.25), "keeping/a": known(1.0)}
    found = with_extremes(views)
    assert found["forgetting_least"].value == 0.25
    assert found["balance"].value == pytest.approx(0.4)
    views["forgetting_by_choice"] = unscored("no choices")
    alone = with_extremes(views | {"forgetting_least": known(0.1)})
    assert "forgetting_least" not in alone
    assert alone["balance"].value == pytest.approx(1.5 / 1.75)


def test_without_sets_nothing_was_kept() -> None:
    assert with_extremes({"forgetting": known(1.0)})["keeping"].reason == "nothing was to be kept"
