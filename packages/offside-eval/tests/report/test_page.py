"""Parts of the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from offside_data.files import sha256_file
from offside_eval.compare import Comparison, Figure, compare
from offside_eval.judge.scores import write_scores
from offside_eval.model_scores import measure, save
from offside_eval.report import charts, interactive
from offside_eval.report.headline import headline
from offside_eval.report.page import Forest, Page, SettingView, _script_json, gauge, render
from offside_eval.results import Results
from offside_eval.statistics import Interval


def test_json_in_a_script_element_can_not_end_it() -> None:
    text = _script_json({"a": "</script><!-- & -->"})
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text) == {"a": "</script><!-- & -->"}


def test_a_forest_places_numbers_on_its_scale() -> None:
    forest = Forest.of(Figure(Interval(0.4, 0.2, 0.6, 10, 5)), 0.1)
    assert forest is not None
    assert forest.threshold is not None
    assert 0 < forest.zero < forest.threshold < forest.low < forest.value < forest.high < forest.one < 100
    assert Forest.of(Figure(None, "why")) is None
    beyond = Forest.of(Figure(Interval(2.0, None, None, 10, 1)))
    assert beyond is not None
    assert 0 < beyond.value < 100


def test_a_gauge_stays_within_its_track() -> None:
    assert [gauge(v) for v in (None, -0.2, 0.5, 1.3)] == [0.0, 0.0, 50.0, 100.0]


def test_charts_are_plain_json_with_themed_colors(comparison: Comparison) -> None:
    panels = [interactive.scatter_chart(s) for s in charts.scatters(comparison)]
    panels += [interactive.curve_chart(c) for c in charts.curves(comparison)]
    panels.append(interactive.twin_chart(charts.twins(comparison)))
    assert "NaN" not in json.dumps(panels, allow_nan=False)
    assert "var(--ink)" in json.dumps(panels)


def test_scatter_shows_controls_on_the_scale_they_define(comparison: Comparison) -> None:
    points = {p.label: p for p in charts.scatters(comparison)[0].points}
    assert (points["vanilla"].x.value, points["vanilla"].y.value) == (0.0, 1.0)
    assert points["retain-only"].x.value == 1.0
    assert points["grad_ascent"].collapsed
    assert not points["kl_min"].collapsed
    assert points["kl_min"].x.low is not None


def test_curves_start_before_relearning_and_have_their_control(comparison: Comparison) -> None:
    panel = next(c for c in charts.curves(comparison) if c.key == "knows")
    labels = {c.label: c for c in panel.curves}
    assert labels.keys() == {"kl_min", "retain-only"}
    assert list(labels["kl_min"].steps) == [0, 180]
    assert labels["retain-only"].control


def test_collapsed_models_come_last_and_twins_have_their_own_table(comparison: Comparison) -> None:
    view = SettingView(comparison.settings["complete"], comparison.metric)
    assert [name for row, control in view.all_rows if not control for name in [row.label]][-1] == "grad_ascent"
    assert "remembered" not in [
        c.key for c in SettingView(comparison.settings["visual-rumor"], comparison.metric).columns
    ]


def test_tables_can_be_reached_and_understood_without_a_mouse(report: Path) -> None:
    """What scrolls sideways takes the focus and has a name; what stands in tooltips stands below the table, too."""
    page = (report / "report.html").read_text(encoding="utf-8").split("<script")[0]
    scrolling = re.findall(r'<div class="scroll"([^>]*)>', page)
    assert len(scrolling) > 5
    assert all('tabindex="0"' in said and re.search(r'aria-label="[^"]{5,}"', said) for said in scrolling)
    assert not re.search(r"<th [^>]*tabindex", page)
    for help_text in re.findall(r'class="main">\s*<thead>.*?</thead>', page, re.DOTALL):
        for said in re.findall(r'title="([^"]+)"', help_text):
            assert f"<dd>{said.removesuffix('.')}." in page


def test_metrics_of_models_and_judges_have_tables(make_results: Callable[..., Results]) -> None:
    given = [make_results(name, role=name, subjects=4) for name in ("vanilla", "retain_only")]
    own = make_results("npo", role="unlearned", method="npo<b>", subjects=4, rates={"forget/private": 0.5})
    assert own.path is not None
    told = measure(own, ["specific_forgetting", "forgetting"], {"vanilla": given[0]})
    save(own, told, {"vanilla": given[0]})
    rows = own.samples.unique(["record_id", "variant"], maintain_order=True)
    table = rows.select("record_id", "variant").with_columns(
        score=pl.lit(7.5), skipped=pl.lit(None, pl.String), said=pl.lit("<i>"), question_key=pl.lit("k")
    )
    facts: dict[str, Any] = {
        "judge_model": "m",
        "served": [],
        "endpoints": [],
        "rubric": "r",
        "rubric_digest": "d",
        "temperature": 0.0,
    }
    facts |= {"max_tokens": 9, "json_mode": True, "pictures": False, "slices": [], "limit": None, "seed": 0}
    facts |= {"complete": True, "samples": sha256_file(own.path / "samples.parquet"), "n_scored": 9, "n_unscored": 0}
    write_scores(own.path, facts | {"name": "strict-one", "reasons": {}, "aggregates": []}, table)
    comparison = compare([*given, own])
    page = Page(comparison, [], headline(comparison, []), [], {}, {}, {"settings": {}})
    html = render(page)
    of_models, judges = (
        html.partition(mark)[2].partition("</table>")[0] for mark in ("Metrics of whole", 'id="judges"')
    )
    assert "npo&lt;b&gt;" in of_models
    assert "specific_forgetting" in of_models
    assert "the results of retain-only are missing" in of_models
    assert "strict-one" in judges
    assert "7.50" in judges
    without = compare(given)
    page = Page(without, [], headline(without, []), [], {}, {}, {"settings": {}})
    assert "Metrics of whole" not in render(page)
    assert 'id="judges"' not in render(page)
