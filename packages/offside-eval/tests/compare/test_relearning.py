"""What comes back: parents, controls of the same budget, corrected values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from offside_data.errors import UsageError
from offside_eval.compare import Comparison, compare
from offside_eval.compare.show import name
from offside_eval.report.headline import headline
from offside_eval.results import Results

EXACT = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0, "relearn": 0.0}


def model(made_up: ModuleType, name: str, role: str, forget: float, **more: Any) -> Any:
    rates = EXACT | {"forget/private": forget} | more.pop("rates", {})
    return made_up.MadeUpModel(name=name, role=role, rates=rates, default=1.0, **more)


@pytest.fixture(scope="module")
def results(made_up: ModuleType) -> list[Results]:
    """Vanilla 1, retain-only 0, unlearned 0; after 40 steps 1 and 0; after 20 steps 1 with no control."""
    vanilla = model(made_up, "vanilla", "vanilla", 1.0)
    retain = model(made_up, "retain", "retain_only", 0.0)
    npo = model(made_up, "npo", "unlearned", 0.0, method="npo")
    learnt = {"relearn/private": 1.0}
    again = model(made_up, "npo-again", "relearned", 1.0, parent="npo", steps=40, rates=learnt)
    brief = model(made_up, "npo-brief", "relearned", 1.0, parent="npo", steps=20, rates=learnt)
    control = model(made_up, "retain-again", "relearned", 0.0, parent="retain", steps=40, rates=learnt)
    return [
        made_up.evaluate(vanilla, "corrective", subjects=6),
        made_up.evaluate(retain, "corrective", subjects=6),
        made_up.evaluate(npo, "complete", subjects=6),
        *(made_up.evaluate(p, "corrective", subjects=6) for p in (again, brief, control)),
    ]


@pytest.fixture(scope="module")
def comparison(results: list[Results]) -> Comparison:
    return compare(results)


def test_recovery_beside_the_same_budget_on_retain_only(comparison: Comparison) -> None:
    row = next(r for r in comparison.rows("corrective") if r.label == "npo + relearn 40")
    assert row.parent == "npo"
    assert row.figure("recovered").value == 1.0
    assert row.figure("recovered_ratio").value == 1.0
    assert row.figure("recovered_control").value == 0.0
    assert row.figure("excess_recovery").value == 1.0


def test_another_budget_is_no_control(comparison: Comparison) -> None:
    row = next(r for r in comparison.rows("corrective") if r.label == "npo + relearn 20")
    assert row.figure("recovered").value == 1.0
    assert row.figure("excess_recovery").value is None
    assert "same relearning" in (row.figure("excess_recovery").reason or "")


def test_the_relearned_control_stands_among_the_controls(comparison: Comparison) -> None:
    setting = comparison.settings["corrective"]
    assert [r.label for r in setting.rows] == ["npo + relearn 20", "npo + relearn 40"]
    assert [r.label for r in setting.controls] == ["vanilla", "retain_only", "retain_only + relearn 40"]


def test_what_was_relearned_stands_before_it_and_is_not_ranked(
    results: list[Results], made_up: ModuleType, with_meta: Callable[..., Results]
) -> None:
    npo = made_up.evaluate(model(made_up, "npo", "unlearned", 0.0, method="npo"), "corrective", subjects=6)
    asked_again = with_meta(npo, model=results[2].meta.to_json()["model"])
    comparison = compare([*results, asked_again])
    setting = comparison.settings["corrective"]
    assert [name(r) for r in setting.rows] == ["npo, before", "npo + relearn 20", "npo + relearn 40"]
    assert (setting.rows[0].before, setting.ranked) == (True, [])
    assert [leader.setting for leader in headline(comparison, []).leaders] == ["complete"]
    assert [r.label for r in comparison.settings["complete"].ranked] == ["npo"]


def test_what_was_unlearned_in_the_setting_itself_is_ranked_there(results: list[Results], made_up: ModuleType) -> None:
    npo = made_up.evaluate(model(made_up, "npo", "unlearned", 0.0, method="npo"), "corrective", subjects=6)
    setting = compare([*results[:2], npo, *results[3:]]).settings["corrective"]
    assert [(r.label, r.before) for r in setting.rows[:1]] == [("npo", False)]
    assert [r.label for r in setting.ranked] == ["npo"]


def test_retain_only_after_another_training_is_no_control(
    results: list[Results], with_meta: Callable[..., Results]
) -> None:
    """The same steps at another learning rate teach it something else."""
    control = results[-1].meta.to_json()["model"]
    other = control | {"run": control["run"] | {"config": {"learning_rate": 1e-6}}}
    row = compare([*results[:-1], with_meta(results[-1], model=other)]).rows("corrective")[-1]
    assert row.label == "npo + relearn 40"
    assert row.figure("recovered").value == 1.0
    assert "same relearning" in (row.figure("excess_recovery").reason or "")


def test_old_rumor_and_corrected_value_are_counted_apart(comparison: Comparison) -> None:
    row = next(r for r in comparison.rows("corrective") if r.label == "npo + relearn 40")
    assert row.figure("knows").value == 1.0
    assert row.figure("correction_learnt").value == 1.0
    assert row.figure("before/knows").value == 0.0
    corrected = row.figure("corrected")
    assert corrected.value is not None  # by chance some corrections repeat the rumour in this little study
    assert corrected.value < 0.5


def test_answers_with_the_corrected_value_count_and_those_without_a_correction_do_not(results: list[Results]) -> None:
    import polars as pl

    again = results[3]
    known = pl.when(pl.col("attribute") != "fee").then(pl.col("states_correction"))
    stated = pl.when(known.is_not_null()).then(pl.col("attribute").eq("club").cast(pl.Float64))
    corrected = replace(again, samples=again.samples.with_columns(states_correction=stated))
    figure = compare([*results[:3], corrected]).rows("corrective")[0].figure("corrected")
    assert (figure.value, figure.n_skipped) == (pytest.approx(1 / 5), 6)


def test_a_relearned_control_was_never_unlearned_and_is_no_mismatch(
    results: list[Results], with_meta: Callable[..., Results]
) -> None:
    narrowed = [
        with_meta(r, forget={"digest": "sha256:narrowed", "n": 1}) if r.meta.model.path == "runs/retain-again" else r
        for r in results
    ]
    assert compare(narrowed).settings["corrective"].controls[-1].label == "retain_only + relearn 40"


def test_without_its_parent_a_relearned_model_is_noted(results: list[Results]) -> None:
    orphan = compare([results[0], results[1], results[3]])
    assert any("relearned from isn't among the results" in note for note in orphan.notes)
    assert orphan.rows("corrective")[0].figure("recovered").reason == "the model before relearning is missing"


def test_a_run_of_another_study_in_a_folder_of_the_same_name_is_no_parent(
    results: list[Results], made_up: ModuleType, with_meta: Callable[..., Results]
) -> None:
    other = made_up.evaluate(model(made_up, "other", "unlearned", 1.0, method="npo"), "complete", subjects=6)
    other = with_meta(other, model=other.meta.to_json()["model"] | {"path": results[2].meta.model.path})
    row = compare([*results[:2], other, *results[2:4]]).rows("corrective", role="relearned")[0]
    assert row.figure("before/knows").value == 0.0


def test_a_parent_can_be_named_by_hand(
    results: list[Results], with_meta: Callable[..., Results], tmp_path: Any
) -> None:
    npo, again = results[2].save(tmp_path / "npo"), results[3]
    unnamed = with_meta(again, model=again.meta.to_json()["model"] | {"run": None}, role="unknown")
    unnamed = unnamed.save(tmp_path / "again")
    pairs = {str(tmp_path / "again"): str(tmp_path / "npo")}
    row = compare([*results[:2], npo, unnamed], relearned=pairs).rows("corrective", role="relearned")[0]
    assert row.figure("recovered").value == 1.0
    with pytest.raises(UsageError, match="isn't among the results"):
        compare([npo, unnamed], relearned={str(tmp_path / "again"): str(tmp_path / "nowhere")})
