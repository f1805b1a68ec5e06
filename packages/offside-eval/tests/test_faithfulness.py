"""Rating of metrics: by hand, beside scikit-learn, and at the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from offside_data.errors import UsageError
from offside_eval.cli import main
from offside_eval.faithfulness import auc, audit
from offside_eval.results import Results


def made(made_up: ModuleType, name: str, share: float) -> Results:
    model = made_up.MadeUpModel(name=name, role="vanilla", rates={"forget/private": share}, default=1.0)
    found: Results = made_up.evaluate(model, "selective", subjects=6)
    return found


@pytest.fixture(scope="module")
def sides(made_up: ModuleType) -> tuple[list[Results], list[Results]]:
    learnt = [made(made_up, f"learnt-{n}", 0.7 + 0.05 * n) for n in range(4)]
    never = [made(made_up, f"never-{n}", 0.05 * n) for n in range(4)]
    return learnt, never


def test_the_area_is_scikit_learns_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        knowing, ignorant = rng.integers(0, 8, 7).tolist(), rng.integers(0, 6, 9).tolist()
        found = auc(knowing, ignorant)
        labels = [1] * 7 + [0] * 9
        assert found.value == pytest.approx(roc_auc_score(labels, [*knowing, *ignorant]), abs=1e-12)
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.n == 63


def test_eight_and_eight_models_told_apart_leave_room_for_doubt() -> None:
    """At 1 the interval isn't a point, and shrinks with more models."""
    perfect = auc(range(10, 18), range(8))
    assert perfect.value == 1
    assert perfect.high == 1
    assert perfect.low is not None
    assert 0.7 < perfect.low < 0.9
    more = auc(range(100, 140), range(40))
    assert more.low is not None
    assert more.low > perfect.low + 0.08
    nothing = auc(range(8), range(10, 18))
    assert (nothing.value, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(1 - perfect.low, abs=1e-6)


def test_what_tells_the_groups_apart_comes_first(sides: tuple[list[Results], list[Results]]) -> None:
    learnt, never = sides
    found = {a.metric: a for a in audit(learnt, never)}
    assert found["value_match"].faithfulness.value == 1
    assert list(found) == sorted(found, key=lambda name: (-(found[name].faithfulness.value or 0), name))
    rows = learnt[1].samples.filter(slice="forget", scope="private", variant="plain")
    assert found["value_match"].learnt[1] == pytest.approx(rows["value_match"].mean())


def test_a_metric_that_is_good_when_it_is_high_on_the_forget_set_is_turned_round(
    sides: tuple[list[Results], list[Results]],
) -> None:
    """Swapping the sides turns each area round, whatever its direction."""
    learnt, never = sides
    there, back = (
        {a.metric: a.faithfulness.value for a in audit(*pair)} for pair in ((learnt, never), (never, learnt))
    )
    assert all(back[name] == pytest.approx(1 - value) for name, value in there.items() if value is not None)


def test_a_change_that_takes_models_across_the_line_is_unstable(
    made_up: ModuleType, sides: tuple[list[Results], list[Results]]
) -> None:
    learnt, never = sides
    harmless = [(one, made(made_up, f"rounded-{n}", 0.8)) for n, one in enumerate(learnt)]
    hiding = [(one, made(made_up, f"hidden-{n}", 0.8 if n else 0.0)) for n, one in enumerate(learnt)]
    (found,) = [a for a in audit(learnt, never, {"int8": harmless, "hiding": hiding}) if a.metric == "value_match"]
    assert (found.stability["int8"].value, found.stability["hiding"].value) == (1.0, 0.75)
    assert found.stability["hiding"].n == 4
    assert (found.stability["int8"].low or 0) < 1


def test_what_can_not_be_compared_is_refused(made_up: ModuleType, sides: tuple[list[Results], list[Results]]) -> None:
    learnt, never = sides
    with pytest.raises(UsageError, match="--never: 2 models; at least 3"):
        audit(learnt, never[:2])
    with pytest.raises(UsageError, match="given twice, or on both sides"):
        audit(learnt, [*never, learnt[0]])
    with pytest.raises(UsageError, match="is on neither side"):
        audit(learnt, never, {"x": [(made(made_up, "stray", 0.5), learnt[0])]})
    other = made_up.evaluate(made_up.MadeUpModel(name="other", role="vanilla", default=1.0), "selective", subjects=7)
    with pytest.raises(UsageError, match="is about other records"):
        audit([*learnt, other], never)


def test_the_command_writes_what_it_prints(sides: tuple[list[Results], list[Results]], tmp_path: Path) -> None:
    places: list[Any] = []
    for option, side in (("--learnt", sides[0]), ("--never", sides[1])):
        for n, results in enumerate(side):
            results.save(tmp_path / f"{option.strip('-')}{n}")
            places += [option, str(tmp_path / f"{option.strip('-')}{n}")]
    places += ["--changed", f"same:{tmp_path / 'learnt0'}={tmp_path / 'learnt1'}"]
    done = CliRunner().invoke(main, ["meta", str(tmp_path / "out"), *places])
    assert done.exit_code == 0, done.output
    assert "value_match" in done.stdout
    written = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    again = CliRunner().invoke(main, ["meta", str(tmp_path / "out"), *places, "--json", "--force"])
    assert json.loads(again.stdout) == written
    assert written["metrics"][0]["faithfulness"]["value"] == 1
    wrong = CliRunner().invoke(main, ["meta", str(tmp_path / "new"), *places, "--changed", "nonsense"])
    assert wrong.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_metric_that_is_no_number_or_the_same_of_all_is_given_no_place(
    sides: tuple[list[Results], list[Results]],
) -> None:
    """Not a number loses every comparison: that was an area of 0; and of equal ones half were stable."""
    learnt, never = sides
    broken = replace(learnt[0], samples=learnt[0].samples.with_columns(rouge_l=pl.lit(float("nan"))))
    by_name = {a.metric: a for a in audit([broken, *learnt[1:]], never)}
    assert by_name["rouge_l"].faithfulness.value is None
    assert "1 of 8 models" in str(by_name["rouge_l"].faithfulness.reason)
    same = [[replace(r, samples=r.samples.with_columns(rouge_l=pl.lit(0.5))) for r in side] for side in sides]
    pairs = {"rounded": [(own, own) for side in same for own in side]}
    found = {a.metric: a for a in audit(*same, pairs)}
    assert found["rouge_l"].faithfulness.value == 0.5
    assert found["rouge_l"].stability["rounded"].value is None
    assert "no sides" in str(found["rouge_l"].stability["rounded"].reason)
    assert found["value_match"].stability["rounded"].value == 1
