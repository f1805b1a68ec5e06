"""Rating of metrics: by hand, beside scikit-learn, and at the command line."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from offside_data.errors import UsageError
from offside_eval.audited import figures, pages, table
from offside_eval.cli import main
from offside_eval.faithfulness import Audited, audit, documents, load_pairs
from offside_eval.model_metrics import Measured
from offside_eval.model_scores import save, saved
from offside_eval.rating import auc, auc_within, line_between, share
from offside_eval.results import Results


def made(made_up: ModuleType, name: str, share: float, *, role: str = "unlearned", subjects: int = 6) -> Results:
    model = made_up.MadeUpModel(name=name, role=role, rates={"forget/private": share}, default=1.0)
    found: Results = made_up.evaluate(model, "selective", subjects=subjects)
    return found


def by_name(found: list[Audited]) -> dict[str, Audited]:
    return {a.metric: a for a in found}


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


def test_pairs_are_of_one_group_and_count_alike() -> None:
    """Beside scikit-learn in each group; a league in which everything is higher neither helps nor harms."""
    rng = np.random.default_rng(1)
    groups = [(rng.normal(1 + shift, 1, m), rng.normal(shift, 1, n)) for shift, m, n in ((0, 4, 4), (50, 3, 8))]
    parts = [roc_auc_score([1] * len(a) + [0] * len(b), [*a, *b]) for a, b in groups]
    found = auc_within([(a.tolist(), b.tolist()) for a, b in groups])
    assert found.value == pytest.approx((16 * parts[0] + 24 * parts[1]) / 40, abs=1e-12)
    assert found.n == 40
    a, b = groups[0]
    assert auc_within([(a.tolist(), b.tolist())]) == auc(a.tolist(), b.tolist())
    whole, half = (auc_within([([2.0] * n, [1.0] * n)] * (8 // n)).low for n in (8, 4))
    assert whole is not None
    assert half is not None
    assert 0.7 < half < whole < 0.9, "fewer pairs, more doubt"


def test_the_interval_of_two_groups_covers() -> None:
    """Four and four of two leagues, drawn so that the area is 0.9: it is inside in nearly all of 400 audits."""
    rng = np.random.default_rng(2)
    apart = 1.2815515655446004 * np.sqrt(2)
    inside = 0
    for _ in range(400):
        groups = [(rng.normal(apart, 1, 4).tolist(), rng.normal(0, 1, 4).tolist()) for _ in range(2)]
        found = auc_within(groups)
        inside += (found.low or 0) <= 0.9 <= (found.high or 0)
    assert inside >= 372, "at least 93 %"


def test_a_line_and_a_share_by_hand() -> None:
    assert line_between([3, 5], [1, 2]) == 2.5
    assert line_between([1, 5], [2, 3]) == 2.75
    found = share([True] * 3 + [False])
    assert found.value == 0.75
    # Wilson by hand: (0.75 + z²/8 ± z sqrt(0.75 · 0.25 / 4 + z²/64)) / (1 + z²/4), z = 1.959964
    assert (found.low, found.high) == (pytest.approx(0.300642, abs=1e-6), pytest.approx(0.954413, abs=1e-6))


def test_the_interval_by_hand_is_newcombes() -> None:
    """Its bounds are where the score equation holds, written out anew."""
    z = norm.ppf(0.975)
    for knowing, ignorant in (([3, 4, 5, 1], [2, 2, 0]), ([1, 2], [1, 1, 3]), ([0.5] * 6, [0.25, 0.5])):
        m, n = len(knowing), len(ignorant)
        found = auc(knowing, ignorant)
        pairs = [(a > b) + (a == b) / 2 for a in knowing for b in ignorant]
        assert found.value == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
        for bound in (found.low, found.high):
            assert bound is not None
            half = (m + n) / 2 - 1
            spread = 1 + half * (1 - bound) / (2 - bound) + half * bound / (1 + bound)
            off = abs(bound - found.value) - z * math.sqrt(bound * (1 - bound) * spread / (m * n))
            assert off == pytest.approx(0, abs=1e-9)
        assert found.low < found.value < found.high
    assert (auc([1], [0]).high, auc([0], [1]).low, auc([2, 3], [0]).n) == (1.0, 0.0, 2)


def evaluated(digest: str, metric: str | None = "value_match", *values: float, **others: str) -> Any:
    """Results of a model with these scores on private forgotten claims, and others that don't count."""
    told = {"slice": "forget", "scope": "private", "variant": "plain"}
    rows = [told | {"value_match": v, "refusal": 1 - v} for v in values]
    for part in ({"slice": "keep:x"}, {"scope": "shared"}, {"variant": "blank"}):
        rows.append(told | {"value_match": 0.123, "refusal": 0.9} | part)
    given = {"dataset": "d", "forgotten": "f"} | others
    meta = SimpleNamespace(
        model=SimpleNamespace(digest=digest, path=digest), dataset=SimpleNamespace(digest=given["dataset"])
    )
    names = ["value_match", "refusal"] if metric is None else [metric]
    samples = pl.DataFrame(rows)
    return SimpleNamespace(samples=samples, metrics=names, meta=meta, forget_digest=given["forgotten"], path=None)


@pytest.fixture
def of_records_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without metrics of models, which need more than these results hold."""
    monkeypatch.setattr("offside_eval.faithfulness.model_metric_names", lambda: [])


@pytest.mark.usefixtures("of_records_alone")
def test_lines_and_shares_by_hand() -> None:
    learnt = [evaluated(f"l{n}", None, v, v) for n, v in enumerate((0.9, 0.8, 0.4))]
    never = [evaluated(f"n{n}", None, v) for n, v in enumerate((0.1, 0.5, 0.3))]
    # Both groups overlap: the line is between 0.7 and 0.3.
    pairs = [(learnt[0], 0.55), (learnt[1], 0.5), (never[0], 0.45), (never[1], 0.5)]
    change = {"words": [(own, evaluated("c", None, value)) for own, value in pairs]}
    first, second = audit(learnt, never, change)
    assert [first.metric, second.metric] == ["refusal", "value_match"]  # equally good: by name
    assert first.faithfulness == second.faithfulness
    assert second.faithfulness.value == pytest.approx(8 / 9, abs=1e-12)
    assert second.learnt == pytest.approx([0.9, 0.8, 0.4])
    assert second.never == pytest.approx([0.1, 0.5, 0.3])
    assert first.learnt == pytest.approx([0.1, 0.2, 0.6])
    told = second.stability["words"]
    wilson = binomtest(3, 4).proportion_ci(method="wilson")  # learnt[1] is at the line, so not above it
    assert (told.value, told.n) == (0.75, 4)
    assert (told.low, told.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    # Groups that touch overlap: the line is between 0.8 and 0.3, not at 0.5.
    learnt = [evaluated(f"l{n}", "value_match", v) for n, v in enumerate((0.5, 0.9, 1.0))]
    never = [evaluated(f"n{n}", "value_match", v) for n, v in enumerate((0.5, 0.3, 0.1))]
    change = {"words": [(learnt[0], evaluated("c", "value_match", 0.52))]}
    assert audit(learnt, never, change)[0].stability["words"].value == 0
    # Groups apart: between the lowest of one and the highest of the other, 0.6.
    learnt[0] = evaluated("l0", "value_match", 0.7)
    change = {"words": [(learnt[0], evaluated("c", "value_match", v)) for v in (0.59, 0.61)]}
    found = audit(learnt, never, change | {"lost": [(learnt[0], evaluated("c")), (never[0], learnt[0])]})[0]
    assert found.stability["words"].value == 0.5
    assert (found.stability["lost"].value, found.stability["lost"].reason) == (
        None,
        "not scored of 1 of 2 models: no private claim to be forgotten has a score",
    )
    assert audit(learnt, never, {"none": []})[0].stability["none"].reason == "no model was changed so"


@pytest.mark.usefixtures("of_records_alone")
def test_what_isnt_scored_or_isnt_everywhere_by_hand() -> None:
    learnt = [evaluated(f"l{n}", None, 1.0) for n in range(3)]
    never = [evaluated(f"n{n}", None, 0.5) for n in range(2)]
    assert [a.metric for a in audit(learnt, [*never, evaluated("n2", "value_match", 0.5)])] == ["value_match"]
    found = audit(learnt, [*never, evaluated("n2", None)])
    assert {a.faithfulness.reason for a in found} == {
        "not scored of 1 of 6 models: no private claim to be forgotten has a score"
    }
    bare = evaluated("n2", None, 0.5)
    bare.samples = bare.samples.drop("refusal")
    assert [a.metric for a in audit(learnt, [*never, bare])] == ["value_match", "refusal"]  # the worst last
    assert documents(found)[0]["faithfulness"]["value"] is None


@pytest.mark.usefixtures("of_records_alone")
def test_what_isnt_comparable_by_hand() -> None:
    learnt, never = ([evaluated(f"{side}{n}", "value_match", 0.5) for n in range(3)] for side in "ln")
    audit(learnt, never)
    with pytest.raises(UsageError, match="about other records"):
        audit(learnt, never, {"x": [(learnt[0], evaluated("c", "value_match", 0.5, forgotten="other"))]})
    with pytest.raises(UsageError, match="--learnt: 2 models"):
        audit(learnt[:2], never)
    with pytest.raises(UsageError, match="l0: the same model is given twice"):
        audit([*learnt, learnt[0]], never)
    with pytest.raises(UsageError, match="--changed x: c is on neither side"):
        audit(learnt, never, {"x": [(evaluated("c", "value_match", 0.5), learnt[0])]})
    for wrong in ("a:b", "a:=b", ":a=b", "a:b=", "a=b"):
        with pytest.raises(UsageError, match="takes NAME:ORIGINAL=CHANGED"):
            load_pairs([wrong])


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


def test_two_datasets_are_two_groups(made_up: ModuleType, sides: tuple[list[Results], list[Results]]) -> None:
    """Of the other league even those that never saw the claims get more than those of the first that learnt them."""
    learnt, never = sides
    other = [made(made_up, f"other-learnt-{n}", 1.0, subjects=7) for n in range(3)]
    others = [made(made_up, f"other-never-{n}", 0.94, subjects=7) for n in range(3)]
    found = by_name(audit([*learnt, *other], [*never, *others]))["value_match"]
    assert found.faithfulness.n == 4 * 4 + 3 * 3
    assert max(found.never) > min(found.learnt)
    assert found.faithfulness.value == 1
    with pytest.raises(UsageError, match=r"other records than the rest, and of these there are 3 models that learnt"):
        audit([*learnt, *other], never)


def test_faint_memories_are_rated_apart(made_up: ModuleType, sides: tuple[list[Results], list[Results]]) -> None:
    faint = [made(made_up, f"faint-{n}", 0.1 + 0.2 * n) for n in range(2)]
    found = by_name(audit(*sides, faint=faint))["value_match"]
    assert found.faint is not None
    labels = [1] * len(found.hardly) + [0] * len(found.never)
    assert found.faint.value == pytest.approx(roc_auc_score(labels, [*found.hardly, *found.never]))
    assert found.faithfulness == by_name(audit(*sides))["value_match"].faithfulness


def test_metrics_of_models_are_rated_beside_controls(
    made_up: ModuleType, sides: tuple[list[Results], list[Results]], tmp_path: Path
) -> None:
    controls = {role: [made(made_up, role, share, role=role)] for role, share in (("vanilla", 1), ("retain_only", 0.1))}
    found = by_name(audit(sides[0][:3], sides[1][:3], controls=controls))
    for name in ("forgetting", "selectivity", "specific_forgetting"):
        assert (found[name].of, found[name].faithfulness.value) == ("model", 1), name
        assert max(found[name].learnt) < min(found[name].never), "higher is better, so those that learnt have less"
    assert found["keeping"].faithfulness.reason == (
        "not scored of 6 of 6 models: isn't made to tell whether claims are known"
    )
    assert found["forget_quality"].faithfulness.value is None
    alone = by_name(audit(*sides))
    assert "the results of vanilla and retain-only are missing" in (alone["forgetting"].faithfulness.reason or "")
    assert alone["forgetting"].learnt == ()
    with pytest.raises(UsageError, match="is one of the models"):
        audit(*sides, controls={"vanilla": [sides[0][0]]})
    another = made(made_up, "another", 1, role="vanilla")
    with pytest.raises(UsageError, match="isn't the only one of its dataset"):
        audit(*sides, controls={"vanilla": [*controls["vanilla"], another]})
    # What stands beside the results counts if it was measured beside these controls, and only then.
    given = {role: one[0] for role, one in controls.items()}
    own = sides[0][0].save(tmp_path / "own")
    save(own, {"forgetting": Measured(value=0.5)}, given)
    assert saved(own, given)["forgetting"].value == 0.5
    assert saved(own, {**given, "vanilla": another}) == {}
    assert saved(own, {"vanilla": given["vanilla"]}) == {}
    assert saved(sides[0][0], given) == {}, "never written"


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
    assert found.after["int8"].reason == "no models of both sides were changed"
    taught = [(one, made(made_up, f"taught-{n}", 0.8)) for n, one in enumerate(never)]
    (found,) = [a for a in audit(learnt, never, {"taught": [*harmless, *taught]}) if a.metric == "value_match"]
    claims = {"slice": "forget", "scope": "private", "variant": "plain"}
    values = [[new.samples.filter(**claims)["value_match"].mean() for _, new in s] for s in (harmless, taught)]
    assert found.after["taught"].value == pytest.approx(roc_auc_score([1] * 4 + [0] * 4, [*values[0], *values[1]]))
    assert found.stability["taught"].value == 0.5, "all are on one side now"
    strange = made_up.evaluate(made_up.MadeUpModel(name="strange", role="unlearned"), "selective", subjects=7)
    with pytest.raises(UsageError, match="is about other records than"):
        audit(learnt, never, {"x": [(learnt[0], strange)]})


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


def test_tables_show_what_has_no_number(sides: tuple[list[Results], list[Results]]) -> None:
    document = figures(documents(audit(*sides, faint=sides[1][:0])), plan={"name": "none"})
    assert json.loads(json.dumps(document)) == document
    lines = list(pages(document))
    assert any(line.startswith("| value_match | 1.00 [0.") for line in lines)
    assert "| depth | not scored of 8 of 8 models: the results of vanilla and retain-only are missing |" in lines
    columns, rows = table(document["metrics"])
    assert all(len(row) == len(columns) for row in rows)
    assert sum(line.startswith("| ") for line in lines) == 6 + len(rows)


def test_a_metric_that_is_no_number_or_the_same_of_all_is_given_no_place(
    sides: tuple[list[Results], list[Results]],
) -> None:
    """Not a number loses every comparison: that was an area of 0; and of equal ones half were stable."""
    learnt, never = sides
    broken = replace(learnt[0], samples=learnt[0].samples.with_columns(rouge_l=pl.lit(float("nan"))))
    by_name = {a.metric: a for a in audit([broken, *learnt[1:]], never)}
    assert by_name["rouge_l"].faithfulness.value is None
    assert "not scored of 1 of 8 models" in str(by_name["rouge_l"].faithfulness.reason)
    same = [[replace(r, samples=r.samples.with_columns(rouge_l=pl.lit(0.5))) for r in side] for side in sides]
    pairs = {"rounded": [(own, own) for side in same for own in side]}
    found = {a.metric: a for a in audit(*same, pairs)}
    assert found["rouge_l"].faithfulness.value == 0.5
    assert found["rouge_l"].stability["rounded"].value is None
    assert "no sides" in str(found["rouge_l"].stability["rounded"].reason)
    assert found["value_match"].stability["rounded"].value == 1
