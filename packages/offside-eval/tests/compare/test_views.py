"""Forgetting seen in several ways: the least of it leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from offside_eval.compare import compare
from offside_eval.compare.show import terminal_rows, view_lines
from offside_eval.compare.views import leading, numbers, told
from offside_eval.report.headline import headline
from offside_eval.results import Results

Make = Callable[..., Results]
ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def seen(results: Results, choice: float, probability: float) -> Results:
    """The same results with other scores on what was to be forgotten: right choices, and a probability."""
    private = (pl.col("split") == "forget") & (pl.col("scope") == "private")
    n = pl.int_range(pl.len()).over("slice", "scope", "variant")
    right = n < choice * pl.len().over("slice", "scope", "variant")
    samples = results.samples.with_columns(
        pl.when(private).then(right.cast(pl.Float64)).otherwise(1.0).alias("choice_accuracy"),
        pl.lit(4).alias("n_choices"),
        pl.when(private).then(probability).otherwise(0.9).alias("probability"),
    )
    return replace(results, samples=samples)


@pytest.fixture
def results(make_results: Make) -> list[Results]:
    """Vanilla knows everything; `po` says nothing of it any more, prefers it still, and expects it half as much."""
    vanilla = make_results("vanilla", role="vanilla", rates=ALL)
    retain = make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0})
    po = make_results("po", role="unlearned", method="po", rates=ALL | {"forget/private": 0.0})
    npo = make_results("npo", role="unlearned", method="npo", seed=1, rates=ALL | {"forget/private": 0.25})
    return [seen(vanilla, 1.0, 0.9), seen(retain, 0.25, 0.1), seen(po, 1.0, 0.5), seen(npo, 0.25, 0.3)]


def test_each_view_has_its_scale_from_vanilla_to_retain_only(results: list[Results]) -> None:
    rows = {row.label: row for row in compare(results).settings["complete"].rows}
    po = rows["po"]
    assert po.figure("forgetting").value == 1.0
    assert po.figure("forgetting_by_choice").value == 0.0
    assert po.figure("forgetting_by_probability").value == pytest.approx(0.5)
    assert po.figure("forgetting_least").value == 0.0
    assert told(po) == "stops saying it, expects it less, still prefers it"
    assert rows["npo"].figure("forgetting_least").value == 0.75


def test_the_least_forgotten_view_decides_who_leads(results: list[Results]) -> None:
    comparison = compare(results)
    assert [row.label for row in comparison.settings["complete"].rows] == ["npo", "po"]
    sentence = headline(comparison, []).sentences[0]
    assert "npo strikes the best balance: it forgot 0.75 by" in sentence
    assert "0.75 by generation" in sentence
    assert "1.00 by choice" in sentence
    assert "it stops saying it" in sentence or "it stops preferring it" in sentence


def test_the_words_stand_below_the_terminals_table_and_the_views_side_by_side_in_it(results: list[Results]) -> None:
    setting = compare(results).settings["complete"]
    columns, _ = terminal_rows(setting)
    at = columns.index("least forgotten")
    assert columns[at : at + 4] == ["least forgotten", "forgetting", "by choice", "by probability"]
    assert "po: stops saying it, expects it less, still prefers it" in view_lines(setting)


def test_a_single_view_is_shown_as_before(make_results: Make) -> None:
    made = [
        make_results("vanilla", role="vanilla", rates=ALL),
        make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
        make_results("npo", role="unlearned", method="npo", rates=ALL | {"forget/private": 0.25}),
    ]
    plain = [replace(r, samples=r.samples.drop("probability")) for r in made]
    comparison = compare(plain)
    row = comparison.settings["complete"].rows[0]
    assert (told(row), leading(row), numbers(row)) == ("", "forgetting", [("", 0.75)])
    assert "least forgotten" not in terminal_rows(comparison.settings["complete"])[0]
    assert "it forgot 0.75 (0 as vanilla, 1 as retain-only)" in headline(comparison, []).sentences[0]


def test_controls_are_the_ends_of_every_scale(results: list[Results]) -> None:
    vanilla, retain = compare(results).settings["complete"].controls
    for name in ("forgetting_by_choice", "forgetting_by_probability", "forgetting_least"):
        assert vanilla.figure(name).reason == "0 by definition"
        assert retain.figure(name).reason == "1 by definition"
