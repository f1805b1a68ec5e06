"""Matched forgetting: numbers read off trajectories, and rows over seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_data.errors import UsageError
from offside_eval.compare import Comparison, compare
from offside_eval.compare.kinds import whose
from offside_eval.compare.show import level_rows, remark, terminal_rows
from offside_eval.compare.trajectories import Trajectory, parse_levels
from offside_eval.report.headline import headline
from offside_eval.results import Results

Make = Callable[..., Results]
ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}
POINTS = ((5, 0.25, 0.875), (10, 0.5, 0.75), (20, 0.75, 0.5), (40, 1.0, 0.25))
"""Steps, share of private claims forgotten, share of retained answers kept."""


@pytest.fixture
def make_model(made_up: ModuleType, make_results: Make) -> Callable[..., Results]:
    """A model by what it knows of private and retained claims: `make_model("a", "unlearned", forgot=0.5, kept=0.75)`.

    Samples alone: the aggregates of so many models would take most of the time, and `compare` doesn't read them.
    """
    right = pl.col("record_id").hash(seed=0).rank("ordinal").over("slice", "scope", "variant") <= pl.col("n")
    base = make_results("base", role="vanilla", rates=ALL)

    def make(name: str, role: str, *, forgot: float = 0.0, kept: float = 1.0, **run: Any) -> Results:
        private = (pl.col("split") == "forget") & (pl.col("scope") == "private")
        share = pl.when(private).then(1 - forgot).when(pl.col("split") == "retain").then(kept).otherwise(1.0)
        counted = base.samples.with_columns(n=(share * pl.len().over("slice", "scope", "variant")).round())
        samples = counted.with_columns(value_match=right.cast(pl.Float64)).drop("n")
        meta = made_up.meta_of(name, role, "complete", run={"role": role, "setting": "complete", **run})
        return Results(samples, [], meta)

    return make


@pytest.fixture
def controls(make_model: Make) -> list[Results]:
    return [make_model("vanilla", "vanilla"), make_model("retain", "retain_only", forgot=1.0)]


@pytest.fixture
def make_curve(make_model: Make) -> Callable[..., list[Results]]:
    """The points of a run: `make_curve("npo", POINTS, seed=1)`."""

    def make(method: str, points: Any = POINTS, *, seed: int = 0, **run: Any) -> list[Results]:
        request = f"sha256:{method}-{seed}"
        common = {"method": method, "request": request, "point_of": request, "seeds": {"seed": seed}, **run}
        return [
            make_model(f"{method}-{seed}-{steps}", "unlearned", forgot=forgot, kept=kept, steps=steps, **common)
            for steps, forgot, kept in points
        ]

    return make


def trajectory(comparison: Comparison, label: str = "npo") -> Trajectory:
    (candidate,) = (c for c in comparison.settings["complete"].candidates if c.label == label)
    return candidate.runs[0]


def values(numbers: Any, *names: str) -> list[float]:
    return [pytest.approx(numbers[name].value) for name in names]


def test_between_two_points_numbers_are_linear_in_forgetting(controls: list[Results], make_curve: Any) -> None:
    found = trajectory(compare([*controls, *make_curve("npo")]))
    assert [row.model.steps for row in found.points[1:]] == [5, 10, 20, 40]
    assert found.reached == pytest.approx(1.0)
    names = ("forgetting", "knows", "keeping/multimodal/retain", "kept/multimodal/retain/private")
    assert values(found.at(0.5), *names) == [0.5, 0.5, 0.75, 0.75]
    before, after = (found.at(level) for level in (0.75, 1.0))
    half = found.at(0.875)
    assert half is not None
    for name in names:
        assert half[name].value == pytest.approx((before[name].value + after[name].value) / 2), name
    assert found.at(0.875)["balance"].value == pytest.approx(
        2 * 0.875 * half["keeping"].value / (0.875 + half["keeping"].value)
    )


def test_a_trajectory_starts_at_vanilla(controls: list[Results], make_curve: Any) -> None:
    found = trajectory(compare([*controls, *make_curve("npo", POINTS[1:])]))
    assert values(found.at(0.25), "forgetting", "keeping/multimodal/retain") == [0.25, 0.875]


def test_only_points_that_forgot_more_than_all_before_count(controls: list[Results], make_curve: Any) -> None:
    points = ((5, 0.5, 0.9), (10, 0.25, 0.1), (20, 0.5, 0.1), (40, 1.0, 0.5))
    found = trajectory(compare([*controls, *make_curve("npo", points)]))
    assert [row.model.steps for row in found.envelope[1:]] == [5, 40]
    pair = found.around(0.75)
    assert pair is not None
    assert [row.model.steps for row in pair] == [5, 40]


def test_one_that_never_gets_there_says_how_far_it_got(controls: list[Results], make_curve: Any) -> None:
    comparison = compare([*controls, *make_curve("npo"), *make_curve("po", ((5, 0.25, 1.0), (10, 0.5, 1.0)))])
    setting = comparison.settings["complete"]
    assert setting.level == 0.5
    columns, cells = level_rows(setting, 0.8)
    assert columns[:2] == ["method", "keeping"]
    assert [line[0] for line in cells] == ["npo\nthese weights only", "po\nreached 0.50"]
    document = comparison.to_dict()["settings"]["complete"]
    assert document["ranked_at_forgetting"] == 0.5
    at = {table["level"]: {m["label"]: m["figures"] for m in table["models"]} for table in document["at_forgetting"]}
    assert at[0.8]["po"] is None
    assert at[0.8]["npo"]["forgetting"]["value"] == pytest.approx(0.8)


def test_methods_are_ranked_at_the_highest_level_that_all_candidates_reached(
    controls: list[Results], make_curve: Any
) -> None:
    gentle = tuple((steps, forgot * 0.9, 1 - (1 - kept) / 4) for steps, forgot, kept in POINTS)
    rough = tuple((steps, forgot, 1 - (1 - kept) / 2) for steps, forgot, kept in POINTS)
    stuck = ((5, 0.0, 1.0), (10, 0.125, 1.0))
    comparison = compare(
        [*controls, *make_curve("npo", rough), *make_curve("kl_min", gentle), *make_curve("po", stuck)]
    )
    setting = comparison.settings["complete"]
    assert setting.level == 0.8, "po isn't a candidate: it doesn't even get to the lowest level"
    assert [(row.label, row.level) for row in setting.rows] == [("kl_min", 0.8), ("npo", 0.8), ("po", None)]
    assert [row.label for row in setting.ranked] == ["kl_min", "npo"]
    assert remark(setting.rows[0]) == "at forgetting 0.8, these weights only"
    assert remark(setting.rows[2]) == f"reached {setting.rows[2].reached:.2f}, these weights only"
    assert terminal_rows(setting)[1][0][0] == "kl_min\nat forgetting 0.8, these weights only"


def test_levels_can_be_chosen(controls: list[Results], make_curve: Any) -> None:
    setting = compare([*controls, *make_curve("npo")], at=(0.25, 0.6)).settings["complete"]
    assert (list(setting.levels), setting.level) == ([0.25, 0.6], 0.6)
    assert parse_levels("forgetting=0.8,0.5") == (0.5, 0.8)
    for text in ("0.5", "forgetting=", "forgetting=2", "keeping=0.5", "forgetting=a"):
        with pytest.raises(UsageError, match="takes forgetting=LEVEL"):
            parse_levels(text)


def test_seeds_make_one_row(controls: list[Results], make_curve: Any) -> None:
    worse = tuple((steps, forgot, kept - 0.25) for steps, forgot, kept in POINTS)
    setting = compare([*controls, *make_curve("npo"), *make_curve("npo", worse, seed=1)]).settings["complete"]
    (row,) = setting.rows
    assert row.seeds == (0, 1)
    assert remark(row) == "1 of 2 seeds collapsed, at forgetting 0.95, 2 seeds"
    (candidate,) = setting.candidates
    name = "keeping/multimodal/retain"
    ends = [run.at(0.5)[name].value for run in candidate.runs]
    assert ends == [pytest.approx(0.75), pytest.approx(0.5)]
    assert candidate.at(0.5)[name].value == pytest.approx(0.625)
    # At a point or between two, a number is made of the same means, so that it can be taken over seeds.
    made = [{n: len(q.samples) for n, q in candidate.runs[0].at(level).items()} for level in (0.5, 0.6)]
    assert made[0] == made[1]


def test_between_a_sound_point_and_a_wreck_the_numbers_decide(controls: list[Results], make_curve: Any) -> None:
    """A wreck is one at its own level and between wrecks, whatever the dose adds to the width of its interval."""
    points = ((5, 0.25, 0.875), (10, 0.5, 0.75), (20, 0.75, 0.0), (40, 1.0, 0.0))
    setting = compare([*controls, *make_curve("npo", points)]).settings["complete"]
    (candidate,) = setting.candidates
    kept = {level: candidate.row(level) for level in (0.5, 0.55, 0.74, 0.75, 0.9)}
    assert [level for level, row in kept.items() if row.collapsed] == [0.75, 0.9]
    assert level_rows(setting, 0.5)[1][0][0] == "npo\nthese weights only"
    assert level_rows(setting, 0.9)[1][0][0] == "npo\ncollapsed, these weights only"
    assert kept[0.55].quantity("keeping/multimodal/retain").value == pytest.approx(0.6)
    # Just before the wreck next to nothing is left, and the interval says so as soon as it can.
    assert kept[0.74].figure("keeping/multimodal/retain").value == pytest.approx(0.03)


def test_a_row_can_be_read_where_something_first_holds(controls: list[Results], make_curve: Any) -> None:
    worse = tuple((steps, forgot - 0.125, kept) for steps, forgot, kept in POINTS)
    setting = compare([*controls, *make_curve("npo"), *make_curve("npo", worse, seed=1)]).settings["complete"]
    (candidate,) = setting.candidates
    asked: list[float | None] = []

    def lost_half(row: Any) -> bool:
        asked.append(row.level)
        return row.quantity("keeping/multimodal/retain").value <= 0.6

    row = candidate.first_where(lost_half)
    assert row.level == pytest.approx(0.625)
    assert asked == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.625]), "the points of both seeds, in their order"
    nowhere = candidate.first_where(lambda _: False)
    assert (nowhere.level, nowhere.fell_short, nowhere.reached) == (None, True, pytest.approx(0.875))


def test_a_level_counts_only_if_every_seed_reaches_it(controls: list[Results], make_curve: Any) -> None:
    results = [*controls, *make_curve("npo"), *make_curve("npo", POINTS[:2], seed=1)]
    setting = compare(results).settings["complete"]
    assert setting.candidates[0].reached == pytest.approx(0.5)
    assert setting.candidates[0].at(0.8) is None
    assert setting.level == 0.5


def test_what_comes_back_is_that_of_a_model_that_had_forgotten_as_much(
    controls: list[Results], make_model: Make, make_curve: Any
) -> None:
    curve = make_curve("npo")
    results = [*controls, *curve]
    for place, knows in ((1, 0.75), (3, 0.5)):  # The points that forgot 0.5 and 1.0.
        start = curve[place].meta.model
        assert start.run is not None
        made = {"parents": [{"path": start.path, "digest": start.digest, "role": "unlearned"}], "steps": 7}
        request = f"sha256:back-{place}"
        results.append(
            make_model(f"back-{place}", "relearned", forgot=1 - knows, method="npo", request=request, **made)
        )
    setting = compare(results).settings["complete"]
    (candidate,) = setting.candidates
    found = {level: candidate.relearned_from(level) for level in (0.25, 0.5, 0.6, 1.0)}
    assert [round(back.forgetting, 6) for back in found.values()] == [0.5, 0.5, 1.0, 1.0]
    assert [back.row.quantity("recovered").value for back in found.values()] == pytest.approx([0.25, 0.25, 0.5, 0.5])
    columns, cells = level_rows(setting, 0.8)
    assert columns[-1] == "comes back"
    assert cells[0][-1].startswith("0.50\n")
    assert cells[0][-1].endswith("from 1.00")
    (document,) = setting.to_dict()["at_forgetting"][0]["models"]
    assert (document["relearned"]["from_forgetting"], document["relearned"]["steps"]) == (pytest.approx(0.5), 7)


def test_of_several_seeds_each_came_back_from_a_point_of_its_own(
    controls: list[Results], make_model: Make, make_curve: Any
) -> None:
    results = [*controls]
    for seed, place in ((0, 1), (1, 2)):  # The points that forgot 0.5 and 0.75.
        curve = make_curve("npo", seed=seed)
        start = curve[place].meta.model
        made = {"parents": [{"path": start.path, "digest": start.digest, "role": "unlearned"}], "steps": 7}
        more = {"method": "npo", "request": f"sha256:back-{seed}", "seeds": {"seed": seed}}
        results += [*curve, make_model(f"back-{seed}", "relearned", forgot=0.25, **more, **made)]
    (candidate,) = compare(results).settings["complete"].candidates
    (back,) = candidate.relearned
    assert back.row.seeds == (0, 1)
    assert back.forgetting == pytest.approx(0.625)


def test_another_config_is_another_row(controls: list[Results], make_curve: Any) -> None:
    results = [*controls, *make_curve("npo"), *make_curve("npo", seed=1, config={"learning_rate": 1e-3})]
    rows = compare(results).settings["complete"].rows
    assert len(rows) == 2
    assert len({row.label for row in rows}) == 2


def test_a_row_never_shows_vanillas_numbers(controls: list[Results], make_curve: Any) -> None:
    """Neither where nothing was forgotten, nor where the models lack the score."""
    (row,) = compare([*controls, *make_curve("npo", ((5, 0.0, 0.75), (10, 0.0, 0.5)))]).settings["complete"].rows
    assert (row.reached, row.model.steps, row.fell_short) == (0.0, 10, True)
    assert row.quantity("keeping").value == pytest.approx(0.5)
    unscored = [
        replace(r, samples=r.samples.with_columns(value_match=pl.lit(None, pl.Float64))) for r in make_curve("npo")
    ]
    (row,) = compare([*controls, *unscored]).settings["complete"].rows
    assert (row.reached, row.model.steps, row.fell_short) == (None, 40, True)
    assert row.quantity("keeping").value is None
    assert "this model has no value_match" in row.figure("forgetting").reason


def test_answers_that_stand_for_a_row_are_named(controls: list[Results], make_curve: Any) -> None:
    (row,) = compare([*controls, *make_curve("npo")], at=(0.6,)).settings["complete"].rows
    assert row.quantity("forgetting").value == pytest.approx(0.6)
    assert whose(row) == "npo after 20 steps", "at 0.75: not what is counted in the row"
    (row,) = compare([*controls, *make_curve("npo"), *make_curve("npo", seed=1)]).settings["complete"].rows
    assert whose(row) == "npo, seed 0 after 40 steps"
    assert whose(compare(controls).settings["complete"].controls[1]) == "retain-only"


def test_rows_of_the_same_method_are_told_apart_by_the_folder_of_the_run(
    controls: list[Results], make_model: Make, make_results: Make, with_meta: Callable[..., Results]
) -> None:
    def curve(run: str, rate: float) -> list[Results]:
        """Two points and the run itself, as they lie on disk."""
        made = []
        for steps, folder in ((5, f"{run}/curve/step-000005"), (10, run)):
            request = {"method": "npo", "request": run, "steps": steps, "config": {"learning_rate": rate}}
            point = {"curve": [5, 10]} if folder == run else {"point_of": run}
            found = make_model(folder, "unlearned", forgot=steps / 10, kept=0.9, **request, **point)
            made.append(with_meta(found, model=found.meta.to_json()["model"] | {"path": folder}))
        return made

    slow, fast = curve("runs/slow/seed-0", 1e-5), curve("runs/fast/seed-0", 1e-3)
    labels = {row.label for row in compare([*controls, *slow, *fast]).settings["complete"].rows}
    assert labels == {"npo (slow/seed-0)", "npo (fast/seed-0)"}


def test_a_run_that_was_made_twice_is_two_trajectories(
    controls: list[Results], make_curve: Any, tmp_path: Path
) -> None:
    """As another machine makes it: the same request and seed, other weights, and stopped at another step."""
    here, there = make_curve("npo", POINTS[:2]), make_curve("npo", [(n, f - 0.25, k) for n, f, k in POINTS])
    for place, results in (("here", here), ("there", there)):
        for i, found in enumerate(results):
            model = found.meta.model
            run = replace(model, digest=f"{model.digest}-{place}", path=f"runs/npo/curve/step-{i}")
            results[i] = replace(found, meta=replace(found.meta, model=run), path=tmp_path / place / f"step-{i}")
    for order in ([*here, *there], [*there, *here]):
        setting = compare([*controls, *order]).settings["complete"]
        found = {c.label: [[row.model.steps for row in run.points[1:]] for run in c.runs] for c in setting.candidates}
        assert found == {"npo (here)": [[5, 10]], "npo (there)": [[5, 10, 20, 40]]}
        assert {row.seeds for row in setting.rows} == {(0,)}, "the same seed twice is no second seed"


def test_single_models_that_differ_in_the_seed_make_one_row(controls: list[Results], make_model: Make) -> None:
    def model(seed: int, knows: float) -> Results:
        name = f"npo-{seed}-{knows}"
        return make_model(name, "unlearned", forgot=1 - knows, method="npo", seeds={"seed": seed})

    (row,) = compare([*controls, model(0, 0.5), model(1, 0.25)]).settings["complete"].rows
    assert (row.seeds, row.level, row.on_curve) == ((0, 1), None, False)
    assert row.quantity("forgetting").value == pytest.approx(0.625)
    rows = compare([*controls, model(0, 0.5), model(0, 0.25)]).settings["complete"].rows
    assert [row.seeds for row in rows] == [(0,), (0,)], "the same seed twice is no second seed"


def test_what_runs_were_stopped_by_is_left_out_everywhere(controls: list[Results], make_curve: Any) -> None:
    ids = sorted(controls[0].samples.filter(slice="forget", scope="private")["record_id"].unique())[:6]
    part = {"forget": ids, "retain": [], "seed": 0}
    results = [*controls, *make_curve("npo", validation=part)]
    before = compare([*controls, *make_curve("npo")]).settings["complete"]
    comparison = compare(results)
    setting = comparison.settings["complete"]
    for row, whole in zip([*setting.rows, *setting.controls], [*before.rows, *before.controls], strict=True):
        assert row.figure("knows").interval.n == whole.figure("knows").interval.n - 6
    assert any("6 records by which runs were stopped" in note for note in comparison.notes)


def test_without_retain_only_no_level_is_reached(controls: list[Results], make_curve: Any) -> None:
    setting = compare([controls[0], *make_curve("npo")]).settings["complete"]
    assert setting.level is None
    assert setting.candidates[0].reached is None
    (row,) = setting.rows
    assert "retain-only model is missing" in row.figure("forgetting").reason
    assert remark(row).startswith("collapsed, forgetting can't be computed")
    assert level_rows(setting, 0.5)[1][0][0] == "npo\nforgetting can't be computed"


def test_one_seed_that_collapsed_is_told_as_one(controls: list[Results], make_curve: Any) -> None:
    gentle = tuple((steps, forgot, 1.0) for steps, forgot, _ in POINTS)
    wrecked = tuple((steps, forgot, 0.0) for steps, forgot, _ in POINTS)
    points = [*make_curve("npo", gentle), *make_curve("npo", wrecked, seed=1), *make_curve("npo", gentle, seed=2)]
    comparison = compare([*controls, *points])
    setting = comparison.settings["complete"]
    (row,) = setting.rows
    assert row.collapsed
    assert row.wrecks == ("sha256:npo-1-40",)
    assert remark(row) == "1 of 3 seeds collapsed, at forgetting 0.95, 3 seeds"
    assert terminal_rows(setting)[1][0][0].startswith("npo\n1 of 3 seeds collapsed")
    assert level_rows(setting, 0.95)[1][0][0] == "npo\n1 of 3 seeds collapsed, 3 seeds"
    assert not row.is_wreck, "the answers shown for the row are those of seed 0"
    assert headline(comparison, []).leaders[0].collapsed == ["npo (1 of 3 seeds)"]
    assert row.to_dict()["collapsed_models"] == ["sha256:npo-1-40"]
    assert comparison.wrecks == {f"sha256:npo-1-{steps}" for steps, *_ in POINTS}
