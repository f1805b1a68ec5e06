"""Colours and marks: a method's everywhere; two configurations of one method are told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_eval.compare import Comparison, compare
from offside_eval.report import charts
from offside_eval.report.page import Provenance
from offside_eval.report.palette import CONTROL, Palette
from offside_eval.results import Results

ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}
Make = Callable[..., Results]


@pytest.fixture
def with_curves(make_results: Make, with_meta: Callable[..., Results]) -> Callable[..., Comparison]:
    """Controls and a curve of two points for each value of a method's option."""

    def make(**betas: tuple[float, ...]) -> Comparison:
        results = [
            make_results("vanilla", role="vanilla", rates=ALL),
            make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
        ]
        for method, of_method in betas.items():
            for beta in of_method:
                run_name = f"{method}-{beta:g}"
                for steps, knows in ((5, 0.5), (10, 0.0)):
                    rates = ALL | {"forget/private": knows}
                    point = make_results(f"{run_name}-{steps}", role="unlearned", method=method, rates=rates)
                    model: dict[str, Any] = point.meta.to_json()["model"]
                    model |= {"path": f"runs/{run_name}/curve/step-{steps:06d}"}
                    model["run"] |= {"steps": steps, "request": run_name, "point_of": run_name, "config": {"b": beta}}
                    results.append(with_meta(point, model=model))
        return compare(results)

    return make


def test_a_method_has_one_style_and_controls_share_another(comparison: Comparison) -> None:
    palette = Palette(comparison)
    assert list(palette.legend) == ["grad_ascent", "kl_min", "npo", "po"][: len(palette.legend)] or palette.legend
    for setting in comparison.settings.values():
        for row in setting.controls:
            assert palette.of(row) == CONTROL
        for row in setting.rows:
            assert palette.of(row) == palette.legend[row.model.method or row.parent or ""]


def test_two_configurations_of_a_method_are_told_apart(with_curves: Callable[..., Comparison]) -> None:
    comparison = with_curves(npo=(0.1, 0.5), po=(0.1,))
    (panel, *_) = charts.trades(comparison)
    assert [path.label for path in panel.paths] == ["npo (npo-0.1)", "npo (npo-0.5)", "po"]
    assert len({path.style.color for path in panel.paths}) == 3
    assert list(Palette(comparison).legend) == ["npo (npo-0.1)", "npo (npo-0.5)", "po"]


def test_colours_that_come_again_have_another_mark(with_curves: Callable[..., Comparison]) -> None:
    styles = list(Palette(with_curves(npo=tuple(0.1 * n for n in range(1, 11)))).legend.values())
    assert len(styles) == 10
    assert len(set(styles)) == 10


def test_what_was_relearned_from_two_settings_is_told_apart(made_up: ModuleType) -> None:
    models = [("complete", made_up.COMPLETE[2]), ("selective", made_up.SELECTIVE[2])]
    again = [("corrective", made_up.relearned(m, 20, forget=0.5, learnt=0.9)) for _, m in models]
    both = [("complete", made_up.VANILLA), ("complete", made_up.RETAIN_ONLY), *models, *again]
    panel, *_ = charts.curves(compare([made_up.evaluate(m, s, subjects=6) for s, m in both], allow_mismatch=True))
    assert [c.label for c in panel.curves] == ["kl_min (kl_min-complete)", "kl_min (kl_min-selective)"]
    assert len({c.style for c in panel.curves}) == 2


def test_methods_runs_and_points_are_counted_apart(
    with_curves: Callable[..., Comparison], comparison: Comparison, tmp_path: Path
) -> None:
    assert Provenance(with_curves(npo=(0.1, 0.5), po=(0.1,))).asked == "2 methods (3 runs, 6 points) and 2 controls"
    assert "point" not in Provenance(comparison).asked
    assert Provenance(comparison).asked.endswith("and 3 controls")
