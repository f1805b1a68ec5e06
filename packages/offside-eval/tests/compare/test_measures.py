"""Forgetting, keeping and the rest, on results whose rates are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import ModelRow, compare
from offside_eval.results import Results

Make = Callable[..., Results]
# 12 subjects with 2 private claims and 2 shared facts a picture: rates are multiples of 1/24.
PERFECT = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}
NEVER_SAW = PERFECT | {"forget/private": 0.0, "forget/shared": 0.75}


def controls(make: Make, setting: str = "complete", **more: Any) -> list[Results]:
    return [
        make("vanilla", role="vanilla", setting=setting, rates=PERFECT, **more),
        make("retain", role="retain_only", setting=setting, rates=NEVER_SAW, **more),
    ]


def row_of(results: list[Results], setting: str = "complete", label: str = "npo") -> ModelRow:
    rows = compare(results).settings[setting].rows
    return next(r for r in rows if r.label == label)


def unlearned(make: Make, rates: dict[str, float], *, setting: str = "complete", **more: Any) -> Results:
    return make("npo", role="unlearned", method="npo", setting=setting, rates=PERFECT | rates, **more)


def test_forgetting_is_placed_between_vanilla_and_retain_only(make_results: Make) -> None:
    row = row_of([*controls(make_results), unlearned(make_results, {"forget/private": 0.25})])
    assert row.figure("knows").value == 0.25
    assert row.figure("drop").value == 0.75
    assert row.figure("forgetting").value == 0.75
    interval = row.figure("forgetting").interval
    assert interval is not None
    assert (interval.n, interval.n_clusters) == (24, 12)
    assert interval.low is not None
    assert interval.low < 0.75


def test_forgetting_uses_retain_only_as_its_target(make_results: Make) -> None:
    vanilla, _ = controls(make_results)
    knows_a_quarter = make_results("retain", role="retain_only", rates=NEVER_SAW | {"forget/private": 0.25})
    row = row_of([vanilla, knows_a_quarter, unlearned(make_results, {"forget/private": 0.25})])
    assert row.figure("forgetting").value == 1.0


def test_forgetting_by_form_and_scope(make_results: Make) -> None:
    rates = {"multimodal/forget/private": 0.0, "text/forget/private": 1.0, "forget/shared": 0.75}
    row = row_of([*controls(make_results), unlearned(make_results, rates)])
    assert row.figure("forgetting/multimodal/private").value == 1.0
    assert row.figure("forgetting/text/private").value == 0.0
    assert row.figure("forgetting/multimodal/shared").value == 1.0
    assert row.figure("modality_gap").value == 1.0


def test_without_retain_only_there_is_the_raw_drop_only(make_results: Make) -> None:
    vanilla, _ = controls(make_results)
    comparison = compare([vanilla, unlearned(make_results, {"forget/private": 0.5})])
    row = comparison.settings["complete"].rows[0]
    assert row.figure("drop").value == 0.5
    assert row.figure("forgetting").value is None
    assert "only the raw drop is known" in (row.figure("forgetting").reason or "")
    assert any("No retain-only model" in note for note in comparison.notes)


def test_a_control_that_knows_as_much_as_vanilla_leaves_no_scale(make_results: Make) -> None:
    vanilla, _ = controls(make_results)
    same = make_results("retain", role="retain_only", rates=PERFECT)
    row = row_of([vanilla, same, unlearned(make_results, {"forget/private": 0.5})])
    assert row.figure("forgetting").value is None
    assert "below 0.05" in (row.figure("forgetting").reason or "")


def test_keeping_is_that_of_the_worst_set_scope_by_scope(make_results: Make) -> None:
    rates = {"multimodal/retain/shared": 1.0, "multimodal/retain/private": 0.5, "utility": 0.75}
    row = row_of([*controls(make_results), unlearned(make_results, rates)])
    assert row.figure("keeping/multimodal/retain").value == 0.75
    assert row.figure("keeping/multimodal/retain/private").value == 0.5
    assert row.figure("keeping/multimodal/retain/shared").value == 1.0
    assert row.figure("keeping/multimodal/utility").value == 0.75
    assert row.figure("keeping/text/retain").value == 1.0
    worst = row.figure("keeping")
    assert (worst.value, worst.of) == (0.5, "multimodal/retain/private")
    assert worst.interval == row.figure("keeping/multimodal/retain/private").interval
    assert row.figure("balance").value == 0.0  # it forgot nothing


def test_who_wrecks_one_set_is_ranked_behind_who_loses_a_little_of_all(make_results: Make) -> None:
    one = PERFECT | {"forget/private": 0.0, "multimodal/retain/private": 0.5}
    little = PERFECT | {"forget/private": 0.0, "retain": 0.75, "test": 0.75, "utility": 0.75}
    rows = [
        make_results("one", role="unlearned", method="npo", rates=one),
        make_results("little", role="unlearned", method="kl_min", rates=little),
    ]
    assert [r.label for r in compare([*controls(make_results), *rows]).settings["complete"].ranked] == ["kl_min", "npo"]


def test_keeping_on_test_counts_shared_facts_only(made_up: Any) -> None:
    vanilla, other = (made_up.evaluate(p, "complete", subjects=3) for p in (made_up.VANILLA, made_up.COMPLETE[2]))
    extra = other.samples.filter(pl.col("slice") == "keep:multimodal/test").head(2)
    extra = extra.with_columns(
        record_id="private-" + pl.col("record_id"), scope=pl.lit("private"), value_match=pl.lit(0.0)
    )
    before = compare([vanilla, other]).settings["complete"].rows[0].figure("keeping/multimodal/test")
    more = [replace(r, samples=pl.concat([r.samples, extra])) for r in (vanilla, other)]
    assert compare(more).settings["complete"].rows[0].figure("keeping/multimodal/test") == before


def test_selectivity_joins_both_sides_of_the_same_pictures(make_results: Make) -> None:
    rates = {"forget/private": 0.0, "multimodal/forget/shared": 0.5}
    row = row_of(
        [*controls(make_results, "selective"), unlearned(make_results, rates, setting="selective")],
        "selective",
    )
    assert row.figure("selectivity").value == pytest.approx(2 * 1.0 * 0.5 / 1.5)
    nothing = unlearned(make_results, {"forget/private": 1.0}, setting="selective")
    row = row_of([*controls(make_results, "selective"), nothing], "selective")
    assert row.figure("selectivity").value == 0.0


def test_selectivity_needs_shared_facts_of_the_same_pictures(make_results: Make) -> None:
    row = row_of([*controls(make_results), unlearned(make_results, {})])
    assert "no shared facts of the same pictures" in (row.figure("selectivity").reason or "")


def test_specific_forgetting_takes_general_damage_away(make_results: Make) -> None:
    rates = {"forget/private": 0.25, "multimodal/retain/private": 0.5}
    row = row_of([*controls(make_results), unlearned(make_results, rates)])
    assert row.figure("specific_forgetting").value == pytest.approx(0.75 - 0.5)


def test_records_that_were_not_scored_leave_all_models_and_are_counted(make_results: Make) -> None:
    vanilla, retain = controls(make_results)
    model = unlearned(make_results, {"forget/private": 0.0})
    lost = vanilla.samples.with_columns(
        pl.when(pl.col("record_id").str.ends_with("s0-club") & (pl.col("config") == "multimodal"))
        .then(None)
        .otherwise(pl.col("value_match"))
        .alias("value_match")
    )
    row = row_of([replace(vanilla, samples=lost), retain, model])
    figure = row.figure("forgetting")
    assert figure.interval is not None
    assert (figure.interval.n, figure.n_skipped) == (23, 1)


def test_visual_rumors_apart_and_their_twins(make_results: Make) -> None:
    rates = {"forget/private": 0.5, "blank": 0.5, "swapped": 0.25}
    row = row_of([*controls(make_results), unlearned(make_results, rates)])
    assert row.figure("remembered").interval is not None
    assert row.figure("remembered").value == 0.5
    interval = row.figure("forgetting/visual").interval
    assert interval is not None
    assert interval.n_clusters == 3


@pytest.mark.parametrize(
    ("rates", "degenerate", "said"),
    [
        ({"retain": 0.25}, 0.0, "keeping on multimodal/retain is 0.25, at most 0."),
        ({"utility": 0.0}, 0.0, "keeping on multimodal/utility is 0.00, at most 0."),
        ({"forget": 0.0, "retain": 0.75, "test": 0.5, "utility": 0.75}, 0.5, "of the answers are degenerate"),
    ],
)
def test_collapsed_models_are_marked_and_not_ranked(
    make_results: Make, rates: dict[str, float], degenerate: float, said: str
) -> None:
    many = {"subjects": 48}  # with 12 pictures of `utility`
    good = make_results("kl", role="unlearned", method="kl_min", rates=PERFECT | {"forget/private": 0.5}, **many)
    bad = unlearned(make_results, {"forget/private": 0.0} | rates, degenerate=degenerate, **many)
    setting = compare([*controls(make_results, **many), bad, good]).settings["complete"]
    assert [r.label for r in setting.rows] == ["kl_min", "npo"]
    assert setting.rows[0].collapsed == ()
    assert any(said in reason for reason in setting.rows[1].collapsed)
    assert [r.label for r in setting.ranked] == ["kl_min"]


@pytest.mark.parametrize("subjects", [6, 12])
def test_noise_condemns_no_sound_model(make_results: Make, subjects: int) -> None:
    rates = {"forget/private": 0.0, "retain": 0.4, "test": 0.7, "utility": 0.7}
    row = row_of([
        make_results("vanilla", role="vanilla", rates=PERFECT, subjects=subjects),
        make_results("retain", role="retain_only", rates=NEVER_SAW, subjects=subjects),
        make_results("npo", role="unlearned", method="npo", rates=PERFECT | rates, subjects=subjects),
    ])  # fmt: skip
    kept = row.figure("keeping/multimodal/retain").interval
    assert kept is not None
    assert kept.value < 0.5
    assert kept.high is not None
    assert kept.high > 0.5
    assert row.collapsed == ()


@pytest.mark.parametrize("kind", ["not_ended", None])
def test_answers_that_were_cut_are_counted_apart_from_degenerate_ones(make_results: Make, kind: str | None) -> None:
    vanilla, retain = controls(make_results)
    model = unlearned(make_results, {"forget": 0.0}, degenerate=0.25)
    plain = (pl.col("variant") == "plain") & (pl.col("degenerate") == 0)
    cut = plain & (pl.col("record_id").hash(seed=0) % 2 == 0)
    samples = model.samples.with_columns(
        ended=~cut,
        degenerate=pl.when(cut & pl.lit(kind is not None)).then(1.0).otherwise("degenerate"),
        **{"degenerate.kind": pl.when(cut).then(pl.lit(kind)).otherwise("degenerate.kind")},
    )
    row = row_of([vanilla, retain, replace(model, samples=samples)])
    before = row_of([vanilla, retain, model])
    assert row.figure("degenerate").value == before.figure("degenerate").value
    assert row.figure("cut").value == pytest.approx(0.45, abs=0.1)
    assert before.figure("cut").value == 0.0
    assert row.collapsed == ()


def test_losing_the_forget_side_is_no_collapse(make_results: Make) -> None:
    row = row_of([*controls(make_results), unlearned(make_results, {"forget": 0.0})])
    assert row.collapsed == ()


def test_chance_is_taken_out_of_choice_accuracy(make_results: Make, with_meta: Make) -> None:
    def with_choices(r: Results, right: float) -> Results:
        samples = r.samples.with_columns(choice_accuracy=pl.lit(right), n_choices=pl.lit(4, pl.Int64))
        return with_meta(replace(r, samples=samples), metrics=[*r.metrics, "choice_accuracy"])

    vanilla, retain = controls(make_results)
    results = [
        with_choices(vanilla, 1.0),
        with_choices(retain, 0.25),
        with_choices(unlearned(make_results, {}), 0.625),
    ]
    row = compare(results, metric="choice_accuracy").settings["complete"].rows[0]
    assert row.figure("knows").value == pytest.approx(0.5)
    assert row.figure("forgetting").value == pytest.approx(0.5)
    unknown = [replace(r, samples=r.samples.with_columns(n_choices=pl.lit(None, pl.Int64))) for r in results]
    assert compare(unknown, metric="choice_accuracy").settings["complete"].rows[0].figure("knows").value is None
