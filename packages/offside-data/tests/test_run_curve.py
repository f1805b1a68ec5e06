"""The points of a run's curve, by steps and by how much they had forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from manifests import MANIFESTS

from offside_data import run_manifest
from offside_data.errors import UsageError
from offside_data.run_curve import find_point, parse_point, point_name, points_of

Make = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """A run of 6 steps with points after some of them: `make_run([2, 4], forgot={2: 0.5, 4: 0.9, 6: 0.7})`."""

    def make(steps: Sequence[int] = (2, 4), forgot: dict[int, float] | None = None) -> Path:
        run = tmp_path / "run"
        start = {"step": 0, "knows_forget": 1.0, "knows_retain": 1.0, "broken": 0.0}
        checks = [start, *({"step": s, "forgetting": f, "keeping": 1.0} for s, f in (forgot or {}).items())]
        watched = {"checks": checks, "until": "forgetting=1"} if forgot else {}
        for step, folder in (*((s, run / "curve" / point_name(s)) for s in steps), (6, run)):
            folder.mkdir(parents=True, exist_ok=True)
            content = {**MANIFESTS["unlearned"], **watched, "steps": step}
            (folder / run_manifest.FILE).write_text(json.dumps(content))
        return run

    return make


def test_the_points_are_those_of_the_folder_and_the_run_itself(make_run: Make) -> None:
    run = make_run()
    assert points_of(run) == {2: run / "curve/step-000002", 4: run / "curve/step-000004", 6: run}


def test_a_last_point_that_is_as_far_as_the_run_stands_for_it(make_run: Make) -> None:
    run = make_run([2, 6])
    assert points_of(run) == {2: run / "curve/step-000002", 6: run / "curve/step-000006"}


def test_a_folder_without_a_curve_has_no_points(make_run: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no offside_run\.json"):
        points_of(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"has no curve\. Make the run with --curve-steps"):
        points_of(make_run([]))


def test_a_point_without_its_receipt_is_named(make_run: Make) -> None:
    run = make_run()
    (run / "curve/step-000004/offside_run.json").unlink()
    with pytest.raises(UsageError, match=r"step-000004: a point of the curve without offside_run\.json"):
        points_of(run)


@pytest.mark.parametrize(
    ("point", "steps"),
    [
        ("2", 2),
        ("6", 6),
        ("forgetting=0.5", 2),
        ("forgetting=0.51", 4),
        ("forgetting=0.9", 4),
        ("forgetting=0.95", 4),  # The one that forgot most; at its end the run had forgotten less.
    ],
)
def test_a_point_is_named_by_its_steps_or_its_forgetting(
    make_run: Make, point: str, steps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(forgot={2: 0.5, 4: 0.9, 6: 0.7})
    assert find_point(run, point) == points_of(run)[steps]
    said = capsys.readouterr().err
    assert (f"the point after {steps} steps" in said) == point.startswith("forgetting")
    assert ("none had forgotten 0.95" in said) == point.endswith("0.95")


def test_what_nobody_looked_at_is_not_guessed(make_run: Make) -> None:
    run = make_run()
    with pytest.raises(UsageError, match=r"nobody looked at what its points had forgotten.*a number of steps: 2, 4, 6"):
        find_point(run, "forgetting=0.9")
    with pytest.raises(UsageError, match="no point after 3 steps; there are 2, 4, 6"):
        find_point(run, "3")


@pytest.mark.parametrize(
    "text", ["", "0", "-3", "2.5", "forgetting", "forgetting=", "forgetting=0", "forgetting=1.1", "keeping=0.5", "4=4"]
)
def test_other_points_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--point takes a number of steps, or forgetting=LEVEL"):
        parse_point(text)
