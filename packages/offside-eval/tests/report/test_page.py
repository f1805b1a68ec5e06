"""Parts of the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

from offside_eval.compare import Comparison, Figure
from offside_eval.report import charts, interactive
from offside_eval.report.page import Forest, SettingView, _script_json, gauge
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
