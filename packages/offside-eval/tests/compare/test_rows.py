"""Rows: labels, controls, order and tests over the table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offside_eval.compare import compare
from offside_eval.compare.show import text
from offside_eval.results import Results

Make = Callable[..., Results]
ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def study(make: Make) -> list[Results]:
    return [
        make("vanilla", role="vanilla", rates=ALL),
        make("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
        make("a", role="unlearned", method="npo", rates=ALL | {"forget/private": 0.5}),
        make("b", role="unlearned", method="kl_min", rates=ALL | {"forget/private": 0.0}),
    ]


def test_best_balance_first_and_controls_apart(make_results: Make) -> None:
    setting = compare(study(make_results)).settings["complete"]
    assert [r.label for r in setting.rows] == ["kl_min", "npo"]
    assert [r.label for r in setting.controls] == ["vanilla", "retain_only"]
    assert setting.controls[0].figure("forgetting").reason == "0 by definition"
    assert setting.controls[1].figure("forgetting").reason == "1 by definition"
    assert setting.controls[1].figure("knows").value == 0.0


def test_the_same_method_twice_is_told_apart_by_folder(make_results: Make) -> None:
    twice = [*study(make_results), make_results("c", role="unlearned", method="npo", rates=ALL)]
    labels = {r.label for r in compare(twice).settings["complete"].rows}
    assert labels == {"kl_min", "npo (a)", "npo (c)"}


def test_a_model_evaluated_twice_alike_has_one_row(make_results: Make) -> None:
    results = study(make_results)
    assert len(compare([*results, results[2]]).settings["complete"].rows) == 2


def test_controls_evaluated_in_another_setting_serve_as_well(make_results: Make) -> None:
    *controls, _, _ = study(make_results)
    model = make_results("s", role="unlearned", method="npo", setting="selective", rates=ALL | {"forget/private": 0.25})
    setting = compare([*controls, model]).settings["selective"]
    assert setting.rows[0].figure("forgetting").value == 0.75
    assert [r.label for r in setting.controls] == ["vanilla", "retain_only"]


def test_p_values_are_corrected_over_the_table(make_results: Make) -> None:
    rows = compare(study(make_results)).settings["complete"].rows
    assert rows[0].p_forgot == pytest.approx(2 * 2 / 2**12, rel=0.5)  # drawn, not counted, from 12 subjects on
    assert all(r.p_forgot is not None and r.p_forgot < 0.05 for r in rows)


def test_several_settings_in_one_call_are_grouped_in_order(make_results: Make) -> None:
    more = [
        make_results("sv", role="unlearned", method="po", setting="unimodal"),
        make_results("ss", role="unlearned", method="po", setting="selective"),
    ]
    assert list(compare([*study(make_results), *more]).settings) == ["complete", "selective", "unimodal"]


def test_only_one_subject_gives_numbers_without_intervals(make_results: Make) -> None:
    results = [
        make_results("vanilla", role="vanilla", rates=ALL, subjects=1),
        make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}, subjects=1),
        make_results("a", role="unlearned", method="npo", rates=ALL | {"forget/private": 0.0}, subjects=1),
    ]
    comparison = compare(results)
    setting = comparison.settings["complete"]
    interval = setting.rows[0].figure("forgetting").interval
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == (1.0, None, None)
    assert text(setting.rows[0].figure("forgetting")) == "1.00 no interval"
    assert any(note.startswith("One subject only is to be forgotten") for note in comparison.notes)


def test_under_six_subjects_a_note_says_that_nothing_is_decided(make_results: Make) -> None:
    def notes(subjects: int) -> list[str]:
        made = [make_results(f"vanilla-{subjects}", role="vanilla", rates=ALL, subjects=subjects)]
        made.append(make_results(f"a-{subjects}", role="unlearned", method="npo", rates=ALL, subjects=subjects))
        return [note for note in compare(made).notes if "to be forgotten" in note]

    assert notes(5)[0].startswith("5 subjects only are to be forgotten: under 6 nothing is decided")
    assert notes(6) == []
