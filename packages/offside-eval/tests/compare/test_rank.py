"""Rank among the numbers of a row: as it is, and corrected for chance where it is what everything is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import compare
from offside_eval.compare.show import terminal_rows
from offside_eval.results import Results

Make = Callable[..., Results]


def ranked(results: Results, private: float, elsewhere: float) -> Results:
    """The same with ranks."""
    is_private = (pl.col("slice") == "forget") & (pl.col("scope") == "private")
    rank = pl.when(is_private).then(pl.lit(private)).otherwise(pl.lit(elsewhere))
    no = pl.lit(None, dtype=pl.String)
    samples = results.samples.with_columns(rank.alias("rank"), no.alias("rank.kind"), no.alias("rank.skipped"))
    return replace(results, samples=samples, meta=replace(results.meta, metrics=(*results.meta.metrics, "rank")))


@pytest.fixture
def study(make_results: Make) -> list[Results]:
    vanilla = ranked(make_results("vanilla", role="vanilla"), 1.0, 1.0)
    retain_only = ranked(make_results("retain", role="retain_only"), 0.5, 1.0)
    npo = ranked(make_results("npo", role="unlearned", method="npo"), 0.75, 0.8)
    parent: dict[str, Any] = {"path": "runs/npo", "digest": "sha256:npo"}
    back = ranked(make_results("back", role="relearned"), 0.95, 0.8)
    run = replace(back.meta.model.run, base_model=replace(back.meta.model.run.base_model, **parent))
    return [vanilla, retain_only, npo, replace(back, meta=replace(back.meta, model=replace(back.meta.model, run=run)))]


def test_rows_have_it_as_it_is_and_relearned_ones_what_it_was_before(study: list[Results]) -> None:
    setting = compare(study).settings["complete"]
    rows = {row.role: row for row in [*setting.rows, *setting.controls]}
    found = {role: row.figure("rank").value for role, row in rows.items()}
    assert found == pytest.approx({"vanilla": 1.0, "retain_only": 0.5, "unlearned": 0.75, "relearned": 0.95})
    assert rows["relearned"].figure("before/rank").value == pytest.approx(0.75)
    assert rows["relearned"].figure("recovered_rank").value == pytest.approx(0.2)
    assert "rank" in terminal_rows(setting)[0]


def test_ratios_of_it_are_corrected_for_chance(study: list[Results]) -> None:
    row = next(r for r in compare(study, metric="rank").settings["complete"].rows if r.role == "unlearned")
    assert row.figure("forgetting").value == pytest.approx((1.0 - 0.5) / (1.0 - 0.0))
    assert row.figure("keeping/multimodal/retain").value == pytest.approx(2 * 0.8 - 1)


def test_results_from_before_there_was_such_a_metric_have_none(make_results: Make) -> None:
    row = compare([make_results("vanilla"), make_results("npo", role="unlearned", method="npo")]).rows("complete")[0]
    assert "rank" not in row.quantities
    assert row.quantity("rank").reason == "not measured in this setting"
