"""The kinds of answers, apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import polars as pl

from offside_eval.compare import compare
from offside_eval.compare.kinds import kind_rows, kinds_of
from offside_eval.compare.show import terminal_rows
from offside_eval.results import Results

ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def test_each_models_answers_to_the_forgotten_claims_by_kind(make_results: Callable[..., Results]) -> None:
    comparison = compare(
        [
            make_results("vanilla", role="vanilla", rates=ALL),
            make_results("npo", role="unlearned", method="npo", rates=ALL | {"forget/private": 0.25}, degenerate=0.25),
        ]
    )
    setting = comparison.settings["complete"]
    (npo,), (vanilla,) = setting.rows, setting.controls
    assert kinds_of(vanilla, setting, "value_match") == {"correct": 24}
    assert kinds_of(npo, setting, "value_match") == {"correct": 6, "wrong_value": 12, "empty": 6}
    columns, told = kind_rows([npo, vanilla], setting, "value_match")
    assert columns == ["correct", "wrong_value", "empty"]
    assert told == [("npo", ["25%", "50%", "25%"]), ("vanilla", ["100%", "0%", "0%"])]


def test_the_donors_values_stand_apart_from_other_wrong_ones(make_results: Callable[..., Results]) -> None:
    """Only a wrong value can be the donor's, and only where the run had donors."""
    rates = ALL | {"forget/private": 0.25}
    lent = make_results("lent", role="unlearned", method="prior_match", rates=rates, degenerate=0.25)
    every_second = pl.Series([float(number % 2) for number in range(lent.samples.height)])
    lent = dataclasses.replace(lent, samples=lent.samples.with_columns(states_donor=every_second))
    comparison = compare(
        [
            make_results("vanilla", role="vanilla", rates=ALL),
            make_results("npo", role="unlearned", method="npo", rates=rates, degenerate=0.25),
            lent,
        ]
    )
    setting = comparison.settings["complete"]
    npo, lent_row = setting.rows
    assert "donor_value" not in kinds_of(npo, setting, "value_match")
    found = kinds_of(lent_row, setting, "value_match")
    assert (found["correct"], found["empty"]) == (6, 6)
    assert found["donor_value"] + found["wrong_value"] == 12
    assert found["donor_value"] > 0
    stated = lent.samples.filter(slice="forget", scope="private", variant="plain")["states_donor"]
    figure = lent_row.figure("asserts_donor")
    assert (figure.value, figure.interval.n) == (stated.mean(), stated.len())
    assert figure.interval.low < figure.value < figure.interval.high
    assert npo.figure("asserts_donor").value is None
    assert "donor's" in terminal_rows(setting)[0]
    columns, _ = kind_rows([npo, lent_row], setting, "value_match")
    assert columns == ["correct", "donor_value", "wrong_value", "empty"]


def test_a_score_without_kinds_shows_none(make_results: Callable[..., Results]) -> None:
    comparison = compare([make_results("vanilla", role="vanilla", rates=ALL)], metric="rouge_l")
    setting = comparison.settings["complete"]
    assert kind_rows(setting.controls, setting, "rouge_l") == ([], [])
