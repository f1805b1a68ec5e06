"""What metrics of a model count, leave out and say of themselves; numbers by hand, or by the library."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from offside_eval.model_metrics import (
    MODEL_METRICS,
    Measured,
    cannot,
    load_model_metric,
    load_model_metrics,
    model_metric_names,
)
from offside_eval.model_metrics._base import ComparedMetric
from offside_eval.model_metrics._membership import _Pairs, matched
from offside_eval.model_metrics._min_k import mean_of_lowest
from offside_eval.model_metrics.depth import depth_of
from offside_eval.model_metrics.forget_quality import ks_interval, verdict
from offside_eval.model_metrics.js_distance import distance
from offside_eval.model_metrics.model_utility import harmonic

Saved = Callable[..., Any]
Row = dict[str, Any]


def test_what_ours_declare() -> None:
    """Which way is good, what can come out, what is left to the suite `full`."""
    ours = {n: load_model_metric(n) for n in model_metric_names()
            if MODEL_METRICS.load(n).__name__.startswith("offside_")}  # fmt: skip
    attacks = {n for n in ours if n.startswith("membership_")}
    assert {n for n, m in ours.items() if m.costly} == attacks | {"depth", "js_distance"}
    assert {n for n, m in ours.items() if m.better is None} == attacks | {"modality_gap"}
    assert {n for n, m in ours.items() if m.better == "down"} == {"bounce_back", "js_distance"}
    assert {n for n, m in ours.items() if m.asks_controls} == {"depth"}
    assert {n for n in attacks if ours[n].apart} == {"membership_min_k", "membership_min_k_plus"}
    bounds = {n: m.bounds for n, m in ours.items() if m.bounds != (0.0, 1.0)}
    unbounded = {n: (None, None) for n in ("forgetting", "keeping", "modality_gap")}
    others = {"bounce_back": (-1.0, 1.0), "selectivity": (0.0, None), "specific_forgetting": (-2.0, 2.0)}
    assert bounds == unbounded | others
    nothing = cannot("why")
    assert (nothing.n, nothing.n_skipped, nothing.n_subjects) == (0, 0, 0)
    assert Measured(value=1.0).n_skipped == 0


def test_depth_by_hand_and_what_it_leaves_out(saved: Saved) -> None:
    assert depth_of([1.0, 3.0], [0.5, 3.0]) == pytest.approx((0.5 + 3) / 4, abs=1e-6)
    assert depth_of([1.0, 0.05], [0.25, 9.0]) == pytest.approx(0.25, abs=1e-6)  # 0.05 isn't above the threshold
    assert depth_of([1.0, 0.08], [0.0, 0.08]) == pytest.approx(0.08 / 1.08, abs=1e-6)
    assert depth_of([1.0, math.nan], [1.0, 1.0]) is None
    assert depth_of([1.0], [math.inf]) is None
    assert depth_of([0.01], [1.0]) is None

    def row(n: int, retain_only: list[float], own: list[float], held_out: bool = False) -> Row:
        of = {"of_vanilla": "v", "of_retain_only": "ro", "held_out": held_out, "subject_id": f"s{n % 2}"}
        return of | {"record_id": f"r{n}", "retain_only": retain_only, "own": own}

    rows = [row(0, [1.0, 0.2], [1.0, 0.2]), row(1, [1.0, 0.0], [0.5, 0.0]), row(2, [0.0, 0.0], [0.0, 0.0])]
    rows += [row(3, [1.0, 1.0], [0.0, 0.0], held_out=True), row(4, [], [])]
    own = saved({"depths": rows}, [{"record_id": "r", "subject_id": "s"}])
    controls = {name: saved({"digest": digest}, [{"record_id": "r"}])
                for name, digest in (("vanilla", "v"), ("retain_only", "ro"))}  # fmt: skip
    found = load_model_metric("depth").measure(own, controls)
    assert found.value == pytest.approx(0.75, abs=1e-6)
    assert (found.n, found.n_skipped, found.n_subjects) == (2, 2, 2)
    assert found.details == {"layers": pytest.approx(1.5)}
    none = load_model_metric("depth").measure(saved({"depths": rows[2:3]}, [{"record_id": "r"}]), controls)
    assert (none.value, none.n_skipped) == (None, 1)
    assert (
        "has no depth.parquet" in load_model_metric("depth").measure(saved({}, [{"record_id": "r"}]), controls).reason
    )


def test_forget_quality_is_scipys_over_the_records_of_both(saved: Saved) -> None:
    rng = np.random.default_rng(5)
    n = 24
    logs = {side: rng.normal(shift, 1, n) for side, shift in (("own", 0.0), ("control", 0.4))}

    def weighed(side: str) -> list[Row]:
        found = [{"record_id": f"r{i}", "alternative_logprobs": [float(x)], "paraphrase_logprobs": [0.0, -9.0]}
                 for i, x in enumerate(np.float32(logs[side]))]  # fmt: skip
        found.append({"record_id": "r0", "variant": "blank", "alternative_logprobs": [50.0],
                      "paraphrase_logprobs": [0.0]})  # fmt: skip
        lacking = [{"alternative_logprobs": [], "paraphrase_logprobs": [0.0]},
                   {"alternative_logprobs": [1.0], "paraphrase_logprobs": []},
                   {"alternative_logprobs": [math.nan], "paraphrase_logprobs": [0.0]}]  # fmt: skip
        return found + [{"record_id": f"lacks{i}"} | row for i, row in enumerate(lacking)]

    rows = [{"record_id": f"r{i}", "subject_id": f"s{i % 8}"} for i in range(n)]
    rows += [{"record_id": f"lacks{i}", "subject_id": "s9"} for i in range(3)]
    rows += [{"record_id": "r0", "subject_id": "s0"}, {"record_id": "r1", "subject_id": "s1", "variant": "blank"}]
    rows += [{"record_id": "elsewhere", "subject_id": "s77", "slice": "keep:multimodal/retain"}]
    own, control = (saved({"weighings": weighed(side)}, rows) for side in ("own", "control"))
    found = load_model_metric("forget_quality").measure(own, {"retain_only": control})
    expected = ks_2samp(*(np.float32(logs[side]) for side in ("own", "control")))
    assert found.value == pytest.approx(expected.pvalue, abs=1e-6)
    assert found.details["ks"] == pytest.approx(expected.statistic, abs=1e-6)
    assert (found.n, found.n_skipped, found.n_subjects) == (n, 3, 8)
    assert found.details["ks_low"] < found.details["ks_high"]
    assert found.verdict == "can't tell"
    bare = load_model_metric("forget_quality").measure(own, {"retain_only": saved({}, rows)})
    assert (bare.value, bare.n_skipped) == (None, n + 3)


def test_edges_of_the_verdict_and_of_its_interval() -> None:
    assert verdict(0.05, 0.2, 6) == "alike"
    assert verdict(0.9, None, 6) == "can't tell"
    assert verdict(0.04, 0.1, 6) == "differs"
    one = np.array([1.0, 1.0, 2.0, 2.0])
    assert ks_interval(one, one, ["a", "a", "b", "b"]) == (0.0, 0.0)  # equal values are passed together
    low, high = ks_interval(one, one + 5, ["a", "a", "b", "b"])
    assert (low, high) == (1.0, 1.0)
    assert ks_interval(one, one + 5, ["a"] * 4) == (None, None)


def test_the_interval_of_ks_is_that_of_its_draws() -> None:
    """Beside a plain loop over the same draws, of which the last part is shorter."""
    dice = np.random.default_rng(7)
    one, other = np.round(dice.normal(size=40), 1), np.round(dice.normal(0.5, 1, size=40), 1)
    where = np.minimum(np.arange(40) % 7, 4)  # Subjects of different sizes, so that no two draws are quite alike.
    rng, found = np.random.default_rng(3), []
    for size in (100, 100, 50):
        for often in rng.multinomial(5, np.full(5, 1 / 5), size=size):
            a, b = (np.repeat(side, often[where]) for side in (one, other))
            found.append(ks_2samp(a, b).statistic)
    expected = np.quantile(found, [0.025, 0.975]).tolist()
    assert ks_interval(one, other, [f"s{i}" for i in where], draws=250, seed=3) == pytest.approx(expected, abs=1e-6)


def test_a_number_of_compare_is_taken_from_the_models_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    interval = SimpleNamespace(value=0.5, low=0.25, high=0.75, n=8, n_clusters=4)
    figures = {"full": SimpleNamespace(interval=interval, n_skipped=2, reason=None)}
    figures["none"] = SimpleNamespace(interval=None, n_skipped=3, reason="nothing was asked")
    figures["bare"] = SimpleNamespace(interval=None, n_skipped=1, reason=None)
    asked: dict[str, Any] = {}

    def compare(results: Any, **options: Any) -> Any:
        asked.update(options, results=results)

        def quantity(name: str) -> Any:
            return SimpleNamespace(figure=lambda: figures[name])

        rows = [(SimpleNamespace(model=SimpleNamespace(digest=name), quantity=quantity), None) for name in "ab"]
        return SimpleNamespace(settings={"complete": SimpleNamespace(all_rows=rows)})

    def results(digest: str, path: str | None) -> Any:
        model = SimpleNamespace(digest=digest)
        return SimpleNamespace(path=path, setting="complete", meta=SimpleNamespace(model=model))

    monkeypatch.setattr("offside_eval.compare.compare", compare)

    def found(quantity: str, own: Any, **controls: Any) -> Measured:
        made = type("Made", (ComparedMetric,), {"quantity": quantity})
        return made().measure(own, controls)

    own, before = results("b", "own"), results("a", "before")
    whole = Measured(value=0.5, low=0.25, high=0.75, n=8, n_skipped=2, n_subjects=4)
    assert found("full", own, before=before) == whole
    assert asked == {"results": [own, before], "vanilla": None, "retain_only": None, "relearned": {"own": "before"}}
    assert found("full", own).value == 0.5
    assert asked["relearned"] is None
    for lacking in ({"own": results("b", None)}, {"before": results("a", None)}):
        assert "never written" in str(found("full", **({"own": own, "before": before} | lacking)).reason)
    assert "one of the controls" in str(found("full", results("c", "own")).reason)
    none, bare = found("none", own), found("bare", own)
    assert (none.reason, none.n_skipped) == ("nothing was asked", 3)
    assert (bare.reason, bare.n_skipped) == ("not scored", 1)


def test_js_distance_counts_records_once_and_places_apart(saved: Saved) -> None:
    """By hand: a place of equal distributions and one of disjoint ones are half apart."""
    half, never = math.log(0.5), -700.0

    def weighed(second: list[float], **fields: Any) -> Row:
        row = {"record_id": "r0", "answer_logprobs": [-1.0, -1.0], "top_tokens": [0, 1, 0, 1]}
        return row | {"top_logprobs": [half, half, *second]} | fields

    others = [weighed([2 * half, 2 * half], record_id="r1"), weighed([0.0, never], variant="blank")]
    rows = [{"record_id": "r0", "subject_id": "s0"}, {"record_id": "r0", "subject_id": "s0"}]
    rows += [{"record_id": "r1", "subject_id": "s1"}, {"record_id": "r2", "subject_id": "s2"}]
    rows += [{"record_id": "r3", "subject_id": "s3", "slice": "keep:multimodal/retain"}]
    broken = weighed([math.nan, math.nan], record_id="r2")
    own = saved({"weighings": [weighed([0.0, never]), *others, broken]}, rows)
    control = saved({"weighings": [weighed([never, 0.0]), *others, broken]}, rows)
    found = load_model_metric("js_distance").measure(own, {"retain_only": control})
    assert found.value == pytest.approx((0.5 + 0) / 2, abs=1e-6)
    assert (found.n, found.n_skipped, found.n_subjects) == (2, 1, 2)
    assert found.details["unseen"] == pytest.approx((0 + 0.5 / 2) / 2, abs=1e-6)
    bare = load_model_metric("js_distance").measure(own, {"retain_only": saved({}, rows)})
    assert (bare.value, bare.n_skipped) == (None, 3)


def test_the_distance_of_lumps_by_hand() -> None:
    """p has 0.5 on 1 and the rest elsewhere, q 0.25 on 1 and 0.5 on 2: what p has elsewhere may be on 2."""

    def js(p: list[float], q: list[float]) -> float:
        m = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
        kl = [sum(a * math.log2(a / b) for a, b in zip(x, m, strict=True) if a > 0) for x in (p, q)]
        return math.sqrt(sum(kl) / 2)

    one, other = {1: math.log(0.5)}, {1: math.log(0.25), 2: math.log(0.5)}
    found, unseen = distance(one, other)
    assert found == pytest.approx(js([0.5, 0.5], [0.25, 0.75]), abs=1e-6)
    assert unseen == pytest.approx((0.5 + 0.25) / 2, abs=1e-6)
    # Nearly all is known of each alone: the rest can't make them alike.
    found, unseen = distance({1: math.log(0.9)}, {2: math.log(0.8)})
    assert found == pytest.approx(js([0.9, 0.1], [0.2, 0.8]), abs=1e-6)
    assert unseen == pytest.approx((0.1 + 0.2) / 2, abs=1e-6)


def test_the_lowest_fifth_is_counted_down() -> None:
    for n, k in ((1, 1), (4, 1), (9, 1), (10, 2), (14, 2), (15, 3), (24, 4)):
        values = [float(-i) for i in range(n)]
        assert mean_of_lowest(values) == pytest.approx(np.sort(values)[:k].mean(), abs=1e-6)


def test_harmonic_means() -> None:
    parts = [np.array([0.5, 1.0, 0.0]), np.array([0.25, 1.0, 0.5])]
    assert harmonic(parts).tolist() == pytest.approx([1 / 3, 1.0, 0.0], abs=1e-6)


def test_model_utility_reads_plain_records_of_what_must_survive_once(saved: Saved) -> None:
    def row(name: str, score: float | None, **fields: Any) -> Row:
        parts = dict.fromkeys(("probability", "rouge_l:recall", "truth_ratio", "probability:choice"), score)
        where = {"slice": "keep:multimodal/retain", "split": "retain", "subject_id": f"s-{name}"}
        return {"record_id": name} | where | parts | fields

    rows = [row("a", 0.5), row("b", 1.0), row("b", 0.0), row("c", 0.0, variant="blank"), row("d", 0.0, split="forget")]
    rows += [row("e", 0.0, slice="forget"), row("f", None), row("g", 0.0, held_out=True)]
    rows = [{"held_out": False} | r for r in rows]
    found = load_model_metric("model_utility").measure(saved({}, rows), {})
    assert found.value == pytest.approx(0.75, abs=1e-6)
    assert found.details == pytest.approx(
        {"retain/probability": 0.75, "retain/rouge_l:recall": 0.75, "retain/truth_ratio": 0.75}
    )
    assert found.n_subjects == 2
    none = load_model_metric("model_utility").measure(saved({}, [row("a", None) | {"probability": 1.0}]), {})
    assert none.reason == "no record of retain has a rouge_l:recall"
    nothing = load_model_metric("model_utility").measure(saved({}, [row("a", 1.0, split="forget")]), {})
    assert nothing.reason == "nothing that must survive was asked"


def member(name: str, group: str, logprobs: list[float], **fields: Any) -> Row:
    row = {"record_id": name, "group": group, "subject_id": f"s-{name}", "config": "text", "attribute": "fee"}
    row |= {"answer": "abcd", "held_out": False, "logprobs": logprobs, "means": [-1.0] * len(logprobs)}
    return row | {"deviations": [0.5] * len(logprobs), "grad_norm": 1.0} | fields


def test_membership_counts_pairs_of_which_both_have_a_score(saved: Saved) -> None:
    """Two of three pairs: one lacks a norm. What was held out or has no token isn't paired at all."""
    rows = [
        member("m0", "member", [-1.0, -1.0], grad_norm=1.0),
        member("n0", "non_member", [-1.0, -1.0], grad_norm=3.0),
    ]
    rows += [member(name, group, [-1.0] * 8, grad_norm=norm)
             for name, group, norm in (("m1", "member", 2.0), ("n1", "non_member", 2.0))]  # fmt: skip
    rows += [member("m2", "member", [-1.0] * 20, grad_norm=None), member("n2", "non_member", [-1.0] * 20)]
    rows += [member("m3", "member", [-1.0] * 50), member("m4", "member", []), member("n4", "non_member", [])]
    rows += [member("m5", "member", [-1.0] * 30, held_out=True), member("n5", "non_member", [-1.0] * 30)]
    own = saved({"members": rows}, [{"record_id": "r"}])
    found = load_model_metric("membership_grad_norm").measure(own, {})
    # Scores -1, -2 against -3, -2: three wins of four couples, and a tie.
    assert found.value == pytest.approx(3.5 / 4, abs=1e-6)
    assert (found.n, found.n_skipped, found.n_subjects) == (4, 4, 4)
    assert found.details["n_members"] == 2
    none = load_model_metric("membership_grad_norm").measure(saved({"members": rows[4:6]}, [{"record_id": "r"}]), {})
    assert (none.value, none.n_skipped) == (None, 2)
    alone = load_model_metric("membership_loss").measure(saved({"members": rows[6:7]}, [{"record_id": "r"}]), {})
    assert (alone.value, alone.n_skipped) == (None, 1)


def test_privacy_leakage_by_hand_and_not_beside_a_control_near_zero(saved: Saved) -> None:
    def rows(scores: dict[str, float]) -> list[Row]:
        return [member(name, "member" if name[0] == "m" else "non_member", [score]) for name, score in scores.items()]

    own = saved({"members": rows({"m0": -1.0, "m1": -2.0, "n0": -3.0, "n1": -1.5})}, [{"record_id": "r"}])
    control = saved({"members": rows({"m0": -3.0, "m1": -1.0, "n0": -2.0, "n1": -2.0})}, [{"record_id": "r"}])
    found = load_model_metric("membership_loss").measure(own, {"retain_only": control})
    assert found.details["auc_retain_only"] == pytest.approx(0.5, abs=1e-6)
    assert found.details["priv_leak"] == pytest.approx((0.75 - 0.5) / 0.5, abs=1e-6)
    never = saved({"members": rows({"m0": -3.0, "m1": -3.0, "n0": -2.0, "n1": -2.0})}, [{"record_id": "r"}])
    found = load_model_metric("membership_loss").measure(own, {"retain_only": never})
    assert found.details["auc_retain_only"] == 0
    assert "priv_leak" not in found.details


def test_draws_are_areas_over_the_drawn_subjects() -> None:
    """Each draw beside a plain loop; at 1 % of 200 non-members two may be above the threshold, a third not."""
    rows = [({"subject_id": f"s{i % 3}", "record_id": ""}, {"subject_id": f"s{(i + 1) % 4}", "record_id": ""})
            for i in range(9)]  # fmt: skip
    scores = [(0.1 * i, 0.35 + 0.05 * (i % 5)) for i in range(9)]
    pairs = _Pairs.of([(*pair, *both) for pair, both in zip(rows, scores, strict=True)])
    drawn, often = pairs.draws(), pairs._often()
    for at in range(20):
        weight = {f"s{i}": often[at, i] for i in range(4)}
        wins = total = 0.0
        for (m, _), (a, _) in zip(rows, scores, strict=True):
            for (_, o), (_, b) in zip(rows, scores, strict=True):
                both = weight[m["subject_id"]] * weight[o["subject_id"]]
                wins, total = wins + both * ((a > b) + 0.5 * (a == b)), total + both
        assert drawn[at] == pytest.approx(wins / total, abs=1e-6) if total else math.isnan(drawn[at])
    assert often.sum(axis=1).tolist() == [4.0] * len(often)
    assert often.mean(axis=0) == pytest.approx(np.ones(4), abs=0.1)  # each subject as often as another
    many = [({"subject_id": f"m{i}", "record_id": ""}, {"subject_id": f"o{i}", "record_id": ""}) for i in range(200)]
    above = [2.5 if i == 0 else 1.5 if i < 10 else 0.5 for i in range(200)]
    others = [3.0 if i == 0 else 2.0 if i == 1 else 1.0 if i == 2 else 0.0 for i in range(200)]
    tpr = _Pairs.of([(*p, a, b) for p, a, b in zip(many, above, others, strict=True)]).tpr()
    assert tpr == pytest.approx(10 / 200, abs=1e-6)
    alone = _Pairs.of([({"subject_id": "m", "record_id": ""}, {"subject_id": "o", "record_id": ""}, 1.0, 0.0)])
    assert alone._tprs(np.array([[1.0, 1.0]])).tolist() == [1.0]
    assert np.isnan(alone._tprs(np.array([[2.0, 0.0], [0.0, 2.0]]))).all()  # no member, or no other, was drawn


def test_who_is_a_partner_by_length() -> None:
    def near(length: int, other: int) -> bool:
        return bool(matched([member("m", "member", [0.0] * length), member("n", "non_member", [0.0] * other)])[0])

    assert [near(10, n) for n in (7, 8, 12, 13)] == [False, True, True, False]
    assert [near(2, n) for n in (1, 3, 4)] == [True, True, False]  # one token
    rows = [member("m1", "member", [0.0] * 10), member("m2", "member", [0.0] * 12)]
    rows += [member("n1", "non_member", [0.0] * 11), member("n2", "non_member", [0.0] * 14)]
    assert [(a["record_id"], b["record_id"]) for a, b in matched(rows)[0]] == [("m1", "n1"), ("m2", "n2")]
    nearest = [member("m", "member", [0.0] * 10), member("a", "non_member", [0.0] * 8)]
    nearest.append(member("b", "non_member", [0.0] * 10))
    assert [b["record_id"] for _, b in matched(nearest)[0]] == ["b"]
    other = [member("m", "member", [0.0]), member("n", "non_member", [0.0], config="multimodal")]
    assert matched(other) == ([], 2)


def test_why_nobody_is_paired_and_who_isnt_scored(saved: Saved) -> None:
    def found(*rows: Row, name: str = "membership_loss") -> Any:
        return load_model_metric(name).measure(saved({"members": list(rows)}, [{"record_id": "r"}]), {})

    one, far = member("m", "member", [-1.0] * 9), member("n", "non_member", [-1.0] * 90)
    assert found(far).reason == "the request has no private claim that its picture doesn't give away"
    assert "no private claims of these attributes in text/holdout" in found(one).reason
    assert found(one, far).reason == "no non-member is like a member in attribute and length"
    rows = [one, member("n2", "non_member", [-1.0] * 9, grad_norm=None), far]
    unscored = found(*rows, name="membership_grad_norm")
    assert unscored.reason == "no pair of a member and a non-member could be scored"
    assert unscored.n_skipped == 3


def test_retain_only_is_measured_on_the_pairs_that_count(saved: Saved) -> None:
    """Single tokens are counted apart: they don't count for the control either, and where it lacks one it has none."""
    rows = [member("m0", "member", [-1.0] * 9), member("n0", "non_member", [-2.0] * 9)]
    rows += [member("m1", "member", [-5.0]), member("n1", "non_member", [-1.0])]
    own, control = (saved({"members": rows[:n]}, [{"record_id": "r"}]) for n in (4, 4))
    found = load_model_metric("membership_min_k").measure(own, {"retain_only": control})
    assert (found.value, found.details["auc_single_token"], found.details["n_single_token"]) == (1.0, 0.0, 2)
    assert (found.details["auc_retain_only"], found.details["priv_leak"], found.n) == (1.0, 0.0, 2)
    lacking = saved({"members": rows[1:]}, [{"record_id": "r"}])
    assert "auc_retain_only" not in load_model_metric("membership_min_k").measure(own, {"retain_only": lacking}).details


def _pairs_of(scores: list[tuple[float, float]]) -> _Pairs:
    sides = [({"subject_id": f"m{i}", "record_id": ""}, {"subject_id": f"o{i}", "record_id": ""}) for i in range(99)]
    return _Pairs.of([(*pair, *both) for pair, both in zip(sides, scores, strict=False)])


def test_intervals_are_those_of_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of areas, of true-positive rates drawn at once instead of in parts, and of what is told beside retain-only."""
    rng = np.random.default_rng(4)
    own, control = (_pairs_of(list(zip(rng.normal(x, 1, 12), rng.normal(0, 1, 12), strict=True))) for x in (1.0, 0.2))
    assert own._between(np.append(np.linspace(0, 1, 201), np.nan)) == pytest.approx((0.025, 0.975), abs=1e-6)
    assert own._between(np.array([np.nan])) == (None, None)
    few = _pairs_of([(1.0, 0.0), (2.0, 1.5)])
    assert few.interval() == (None, None)
    assert few.details() == {"tpr_at_1_fpr": 1 / 2, "n_members": 2}
    tprs = own._tprs(own._often())
    told = own.details()
    expected = np.nanquantile(tprs, [0.025, 0.975])
    assert (told["tpr_at_1_fpr_low"], told["tpr_at_1_fpr_high"]) == pytest.approx(expected.tolist(), abs=1e-6)
    ratios = own.draws() / control.draws() - 1
    expected = np.nanquantile(ratios[control.draws() >= 0.05], [0.025, 0.975])
    told = own.beside(control)
    assert told["priv_leak"] == pytest.approx(own.auc() / control.auc() - 1, abs=1e-6)
    assert (told["priv_leak_low"], told["priv_leak_high"]) == pytest.approx(expected.tolist(), abs=1e-6)

    seen: list[Any] = []
    monkeypatch.setattr(_Pairs, "_between", lambda self, drawn: (seen.append(drawn), (None, None))[1])
    own.details()
    assert seen[0].tolist() == pytest.approx(tprs.tolist(), nan_ok=True)  # every draw, each once


def test_a_ratio_is_told_from_a_twentieth_on() -> None:
    at_the_line = _Pairs(np.array([1.0, -9.0]), np.array([0.0] + [2.0] * 9), np.array([0, 1]), np.arange(10), 10)
    assert at_the_line.auc() == 0.05
    assert "priv_leak" in at_the_line.beside(at_the_line)


def test_each_attacks_score_by_hand() -> None:
    row = member("m", "member", [-1.0, -2.0, -4.0, -1.0, -2.0], answer="€35.00m", grad_norm=2.5)
    row |= {"means": [-2.0, -1.0, -1.5, -1.0, -1.0], "deviations": [0.5, 0.5, 0.5, 2.0, 1.0]}
    control = row | {"logprobs": [-2.0, -2.0, -5.0, -3.0, -3.0]}
    size = len(zlib.compress("€35.00m".encode()))
    expected = {"loss": -2.0, "zlib": -2.0 / size, "min_k": -4.0, "min_k_plus": (-4.0 + 1.5) / 0.5, "grad_norm": -2.5}
    expected["reference"] = (1 + 0 + 1 + 2 + 1) / 5
    for name, score in expected.items():
        attack = load_model_metric(f"membership_{name}")
        assert attack.membership(row, control) == pytest.approx(score, abs=1e-6), name
    least = row | {"deviations": [0.0] * 5}
    assert load_model_metric("membership_min_k_plus").membership(least, None) == pytest.approx(-2.5 / 1e-3, abs=1e-6)
    reference = load_model_metric("membership_reference")
    assert reference.membership(row, None) is None
    assert reference.membership(row, control | {"logprobs": [-2.0]}) is None
    assert load_model_metric("membership_grad_norm").membership(row | {"grad_norm": None}, None) is None


def test_which_way_a_model_that_knows_the_claims_points_by_hand() -> None:
    """Members are told from non-members, it is far from retain-only and recovers; what was forgotten goes down."""
    up = ("bounce_back", "js_distance", *(n for n in model_metric_names() if n.startswith("membership_")))
    down = ("depth", "forget_quality", "forgetting", "selectivity", "specific_forgetting")
    told = {name: metric.memory for name, metric in load_model_metrics(model_metric_names()).items()}
    assert {name: way for name, way in told.items() if way is not None} == dict.fromkeys(up, "up") | dict.fromkeys(
        down, "down"
    )
    assert [name for name, way in told.items() if way is None] == ["keeping", "modality_gap", "model_utility"]
