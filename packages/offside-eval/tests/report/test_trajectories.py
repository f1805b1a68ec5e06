"""The report's first plot: what is kept while it is forgotten."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import Comparison, compare
from offside_eval.report import charts, write_report
from offside_eval.report.headline import headline
from offside_eval.results import Results

Make = Callable[..., Results]
ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


@pytest.fixture(scope="module")
def points() -> tuple[tuple[int, float, float], ...]:
    return ((5, 0.5, 0.75), (10, 1.0, 0.25))


@pytest.fixture
def comparison(make_results: Make, with_meta: Callable[..., Results], points: Any) -> Comparison:
    results = [
        make_results("vanilla", role="vanilla", rates=ALL),
        make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
    ]
    for seed in (0, 1):
        for steps, forgot, kept in points:
            rates = ALL | {"forget/private": 1 - forgot, "retain/private": kept}
            point = make_results(f"npo-{seed}-{steps}", role="unlearned", method="npo", rates=rates)
            model = point.meta.to_json()["model"]
            run = {
                **model["run"],
                "steps": steps,
                "request": f"r{seed}",
                "point_of": f"r{seed}",
                "seeds": {"seed": seed},
            }
            results.append(with_meta(point, model={**model, "run": run}))
    return compare(results, at=(0.5, 0.8))


def test_a_panel_for_each_set_and_scope_and_a_line_for_each_run(comparison: Comparison) -> None:
    panels = {panel.title: panel for panel in charts.trades(comparison)}
    assert list(panels) == [
        "shared facts of the retain pictures",
        "private claims of the retain pictures",
        "shared facts of new pictures",
        "general questions",
    ]
    private = panels["private claims of the retain pictures"]
    assert private.level == 0.8
    assert [(t.label, t.first) for t in private.paths] == [("npo, seed 0", True), ("npo, seed 1", False)]
    line = private.paths[0]
    assert (list(line.steps), list(line.x)) == ([0, 5, 10], pytest.approx([0.0, 0.5, 1.0]))
    assert list(line.y) == pytest.approx([1.0, 0.75, 0.25])
    assert list(panels["general questions"].paths[0].y) == pytest.approx([1.0, 1.0, 1.0])


def test_it_stands_first_and_every_number_is_in_a_table(comparison: Comparison, tmp_path: Path) -> None:
    page = write_report(tmp_path / "out", comparison).read_text(encoding="utf-8")
    places = [page.index(f'id="{name}"') for name in ("trajectories", "findings", "tradeoff", "numbers")]
    assert places == sorted(places)
    assert 'data-chart="trade-complete-multimodal-retain-private"' in page
    assert "At forgetting 0.8" in page
    assert "at forgetting 0.8, 2 seeds" in page
    assert (tmp_path / "out/plots/trade-complete.png").stat().st_size > 10_000
    with (tmp_path / "out/tables/trajectories.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["seed"], r["steps"], r["level"]) for r in rows[:5]] == [
        ("0", "0", ""), ("0", "5", ""), ("0", "10", ""), ("0", "", "0.5"), ("0", "", "0.8"),
    ]  # fmt: skip
    assert float(rows[4]["forgetting"]) == pytest.approx(0.8)
    summary = (tmp_path / "out/summary.md").read_text(encoding="utf-8")
    assert "at forgetting 0.8 (0 as vanilla, 1 as retain-only) npo keeps most" in summary
    assert "### complete at forgetting 0.5" in summary


def test_without_curves_there_is_no_such_section(make_results: Make, tmp_path: Path) -> None:
    results = [make_results("vanilla", role="vanilla"), make_results("npo", role="unlearned", method="npo")]
    page = write_report(tmp_path / "out", results).read_text(encoding="utf-8")
    assert 'id="trajectories"' not in page


def test_no_table_counts_what_a_run_was_stopped_by(
    make_results: Make, with_meta: Callable[..., Results], tmp_path: Path
) -> None:
    vanilla, retain = make_results("vanilla", role="vanilla"), make_results("retain", role="retain_only")
    point = make_results("npo", role="unlearned", method="npo")
    private = point.samples.filter(slice="forget", scope="private", variant="plain")["record_id"].to_list()
    part = {"forget": private[:3], "retain": [], "seed": 0}
    model = point.meta.to_json()["model"]
    watched = with_meta(point, model=model | {"run": model["run"] | {"validation": part}})
    write_report(tmp_path / "out", compare([vanilla, retain, watched]))
    with (tmp_path / "out/tables/aggregates.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["metric"] == "value_match" and r["slice"] == "forget"]
    counted = {r["model"]: int(r["n_scored"]) for r in rows if r["scope"] == "private" and r["variant"] == "plain"}
    assert counted == dict.fromkeys(("runs/vanilla", "runs/retain", "runs/npo"), len(private) - 3)


def test_the_first_sentence_says_who_keeps_most(make_results: Make, with_meta: Callable[..., Results]) -> None:
    """Also where another one leads, because this one still expects the claims that it doesn't say."""

    def curve(method: str, kept: float, likely: float) -> list[Results]:
        made = []
        for steps, forgot in ((5, 0.5), (10, 1.0)):
            rates = ALL | {"forget/private": 1 - forgot, "retain": kept}
            point = make_results(f"{method}-{steps}", role="unlearned", method=method, rates=rates)
            private = (pl.col("split") == "forget") & (pl.col("scope") == "private")
            samples = point.samples.with_columns(
                probability=pl.when(private).then(1 - forgot * likely).otherwise(pl.col("value_match"))
            )
            model = point.meta.to_json()["model"]
            run = model["run"] | {"steps": steps, "request": method, "point_of": method}
            made.append(replace(with_meta(point, model=model | {"run": run}), samples=samples))
        return made

    def control(role: str, knows: float) -> Results:
        found = make_results(role, role=role, rates=ALL | {"forget/private": knows})
        return replace(found, samples=found.samples.with_columns(probability=pl.col("value_match")))

    controls = [control("vanilla", 1.0), control("retain_only", 0.0)]
    both = compare([*controls, *curve("npo", 0.75, 1.0), *curve("po", 0.875, 0.25)], at=(0.5,))
    (sentence, _) = headline(both, []).sentences
    assert "npo strikes the best balance: it forgot 0.50" in sentence
    assert "; po kept most, 0.9" in sentence or "; po kept most, 0.8" in sentence
    alone = compare([*controls, *curve("po", 0.875, 0.25)], at=(0.5,))
    assert "po keeps most: 0." in headline(alone, []).sentences[0]


def test_the_set_that_methods_are_ranked_by_has_a_panel(
    make_results: Make, with_meta: Callable[..., Results], points: Any
) -> None:
    results = [
        make_results("vanilla", role="vanilla", rates=ALL),
        make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
    ]
    for steps, forgot, kept in points:
        rates = ALL | {"forget/private": 1 - forgot, "text/retain/private": kept}
        point = make_results(f"npo-{steps}", role="unlearned", method="npo", rates=rates)
        model = point.meta.to_json()["model"]
        run = model["run"] | {"steps": steps, "request": "r", "point_of": "r"}
        results.append(with_meta(point, model=model | {"run": run}))
    comparison = compare(results)
    assert comparison.settings["complete"].rows[0].figure("keeping").of == "text/retain/private"
    assert "private claims of the retain pictures, asked as text" in [t.title for t in charts.trades(comparison)]
