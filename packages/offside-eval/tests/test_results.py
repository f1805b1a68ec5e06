from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl
import pytest

from offside_eval.results import SAMPLE_COLUMNS, Results, ResultsError, places_of


def test_what_is_saved_is_what_is_loaded(make_results: Callable[..., Results]) -> None:
    saved = make_results("npo", role="unlearned", method="npo", rates={"forget/private": 0.25})
    loaded = Results.load(saved.path)
    assert loaded.samples.equals(saved.samples)
    assert loaded.aggregates == saved.aggregates
    assert loaded.meta == saved.meta
    assert (loaded.role, loaded.setting, loaded.metrics[0]) == ("unlearned", "complete", "value_match")
    assert loaded.forget_digest.startswith("sha256:")


def test_the_same_results_are_the_same_bytes(make_results: Callable[..., Results]) -> None:
    first, second = make_results("one"), make_results("two")
    assert (first.path / "samples.parquet").read_bytes() == (second.path / "samples.parquet").read_bytes()
    assert (first.path / "aggregates.json").read_bytes() == (second.path / "aggregates.json").read_bytes()


def test_columns_and_types_do_not_depend_on_the_rows(make_results: Callable[..., Results]) -> None:
    samples = make_results("vanilla").samples
    assert list(samples.columns)[: len(SAMPLE_COLUMNS)] == list(SAMPLE_COLUMNS)
    assert samples["value_match.skipped"].dtype == pl.String  # though it is all null here
    assert set(samples.filter(pl.col("variant") != "plain")["slice"]) == {"forget"}


def test_a_folder_that_is_no_results_folder_is_refused(make_results: Callable[..., Results], tmp_path) -> None:
    with pytest.raises(ResultsError, match="no finished evaluation here"):
        Results.load(tmp_path)
    path = make_results("vanilla").path
    meta = json.loads((path / "results.json").read_text())
    (path / "results.json").write_text(json.dumps(meta | {"schema": 99}))
    with pytest.raises(ResultsError, match="schema 99"):
        Results.load(path)


def test_a_damaged_table_is_named(make_results: Callable[..., Results], tmp_path) -> None:
    place = tmp_path / "out"
    make_results("a", role="vanilla").save(place)
    samples = place / "samples.parquet"
    samples.write_bytes(samples.read_bytes()[:200])
    with pytest.raises(ResultsError, match=r"samples.parquet: damaged: .*Evaluate the model again"):
        Results.load(place)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.drop("slice"), "lacks the columns slice"),
        (lambda s: s.drop("value_match", "value_match.kind"), "lacks the columns value_match, value_match.kind"),
        (lambda s: s.with_columns(value_match=pl.lit(float("nan"))), "value_match holds values that aren't finite"),
        (lambda s: s.with_columns(value_match=pl.lit("yes")), "value_match holds String"),
    ],
)
def test_a_table_that_is_none_of_ours_is_named(make_results: Callable[..., Results], tmp_path, change, said) -> None:
    place = tmp_path / "out"
    results = make_results("a", role="vanilla").save(place)
    results.samples.drop("held_out", "n_choices", "states_donor").write_parquet(place / "samples.parquet")
    Results.load(place)  # From before there were these columns.
    change(results.samples).write_parquet(place / "samples.parquet")
    with pytest.raises(ResultsError, match=rf"samples.parquet: {said}.*Evaluate the model again"):
        Results.load(place)


def test_a_curve_without_points_is_refused(tmp_path) -> None:
    (tmp_path / "curve.json").write_text('{"schema": 1, "setting": "complete", "points": []}')
    with pytest.raises(ResultsError, match="lists no points"):
        places_of(tmp_path)
