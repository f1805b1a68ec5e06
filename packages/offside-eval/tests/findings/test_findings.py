"""Findings: data that show one, data that show the opposite, too little data, and preconditions that don't hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from offside_data.run_manifest import RunManifest
from offside_eval.compare import compare
from offside_eval.compare.quantities import Figure, Quantity, mean_of, unscored
from offside_eval.findings import FINDINGS, MIN_SUBJECTS, Finding, Precondition, corrected, decide, look_for
from offside_eval.statistics import ClusterSums, Interval

KEEPS = {"retain": 0.97, "test": 0.97, "utility": 0.97}
GONE = {"forget/private": 0.02, "visual": 0.02}
Models = Sequence[tuple[str, Any]]


def findings_of(made_up: ModuleType, chosen: Models, subjects: int, *, reads: float = 0.8) -> dict[str, Finding]:
    """Findings in the results of vanilla, retain-only (which `reads`) and `chosen` (setting, model)."""
    is_prompted = any(model.prompted is not None for _, model in chosen)
    retain_only = replace(
        made_up.RETAIN_ONLY,
        rates=made_up.RETAIN_ONLY.rates | {"swapped": reads},
        prompted=0.2 if is_prompted else None,
    )
    results = [
        made_up.evaluate(model, setting, subjects=subjects)
        for setting in dict.fromkeys(setting for setting, _ in chosen)
        for model in (made_up.VANILLA, retain_only)
    ]
    results += [made_up.evaluate(model, setting, subjects=subjects) for setting, model in chosen]
    return {f.name: f for f in look_for(compare(results))}


def unlearned(made_up: ModuleType, method: str, rates: Mapping[str, float]) -> Any:
    return made_up.MadeUpModel(name=method, role="unlearned", method=method, rates=KEEPS | dict(rates), default=0.97)


def relearned(made_up: ModuleType, parent: str, forget: float, learnt: float = 0.97) -> Any:
    rates = KEEPS | {"forget/private": forget, "visual": forget, "relearn/private": learnt}
    return made_up.MadeUpModel(
        name=f"{parent}-again", role="relearned", rates=rates, default=0.97, parent=parent, steps=50
    )


def ascent(made_up: ModuleType, seen: bool) -> Models:
    kept = 0.1 if seen else 0.97
    rates = {"forget": 0.02, "visual": 0.02, "retain": kept, "test": kept, "utility": kept}
    return [("complete", unlearned(made_up, "grad_ascent", rates))]


def selective(made_up: ModuleType, seen: bool) -> Models:
    return [("selective", unlearned(made_up, "kl_min", GONE | {"forget/shared": 0.4 if seen else 0.99}))]


def bounce(made_up: ModuleType, seen: bool) -> Models:
    return [
        ("complete", unlearned(made_up, "npo", GONE)),
        ("corrective", relearned(made_up, "npo", 0.8 if seen else 0.02)),
        ("corrective", relearned(made_up, "retain-only", 0.06 if seen else 0.3)),
    ]


def unimodal(made_up: ModuleType, seen: bool) -> Models:
    picture = 0.95 if seen else 0.0
    rates = {"text/forget/private": 0.02, "multimodal/forget/private": picture, "visual": picture}
    return [("unimodal", unlearned(made_up, "npo", rates))]


def visual(made_up: ModuleType, seen: bool) -> Models:
    rates = {"forget/private": 0.02, "visual": 0.9} if seen else {"forget/private": 0.1, "visual": 0.0}
    return [("complete", unlearned(made_up, "npo", rates))]


def prompted(made_up: ModuleType, seen: bool) -> Models:
    return [("complete", replace(unlearned(made_up, "npo", GONE), prompted=0.5 if seen else 0.04))]


CASES = {
    "sly_prompts_recover": prompted,
    "ascent_wrecks": ascent,
    "selective_collateral": selective,
    "rumor_bounces_back": bounce,
    "text_misses_picture": unimodal,
    "visual_rumors_harder": visual,
}


def test_every_finding_has_its_case_here() -> None:
    assert set(CASES) == set(FINDINGS.names())


@pytest.mark.parametrize("name", CASES)
def test_opposite_data_get_the_opposite_verdict(made_up: ModuleType, name: str) -> None:
    subjects = {"visual_rumors_harder": 120, "text_misses_picture": 90}.get(name, 50)
    seen = findings_of(made_up, CASES[name](made_up, True), subjects)[name]
    assert (seen.verdict, seen.why) == ("seen", f"the whole interval lies above {seen.threshold:g}")
    opposite = findings_of(made_up, CASES[name](made_up, False), subjects)[name]
    assert (opposite.verdict, opposite.why) == (
        "not seen",
        f"the whole interval lies below {seen.threshold:g}",
    )
    assert seen.models
    assert seen.p is not None
    assert seen.p <= 0.05
    assert seen.figure.interval is not None
    assert seen.figure.interval.n_clusters >= MIN_SUBJECTS


@pytest.mark.parametrize("name", CASES)
def test_few_subjects_can_not_tell(made_up: ModuleType, name: str) -> None:
    finding = findings_of(made_up, CASES[name](made_up, True), 4)[name]
    assert finding.verdict == "can't tell"
    assert "at least 0.8 is needed" in finding.why


def test_ascent_that_forgot_next_to_nothing_does_not_speak_against_it(made_up: ModuleType) -> None:
    barely = [("complete", unlearned(made_up, "grad_ascent", {"forget/private": 0.93, "visual": 0.93}))]
    finding = findings_of(made_up, barely, 50)["ascent_wrecks"]
    assert finding.verdict == "can't tell"
    interval = finding.figure.interval
    assert interval is not None
    assert interval.high is not None
    assert interval.high < finding.threshold  # the effect alone would say: not seen
    assert "precondition unmet: forgetting of grad_ascent is 0.0" in finding.why
    assert finding.preconditions == ['forgetting at least 0.8 (lower bound), else at most "seen"']


def test_what_was_wrecked_before_it_had_forgotten_was_wrecked(made_up: ModuleType) -> None:
    rates = {"forget": 0.4, "visual": 0.4, "retain": 0.05, "test": 0.05, "utility": 0.05}
    half = [("complete", unlearned(made_up, "grad_ascent", rates))]
    finding = findings_of(made_up, half, 50)["ascent_wrecks"]
    assert finding.verdict == "seen", finding.why
    # No other finding is judged without its precondition, whichever way it goes.
    collateral = [
        ("selective", unlearned(made_up, "kl_min", {"forget/private": 0.4, "visual": 0.4, "forget/shared": 0}))
    ]
    assert findings_of(made_up, collateral, 50)["selective_collateral"].verdict == "can't tell"


def test_a_correction_that_was_not_learnt_says_nothing_about_recovery(made_up: ModuleType) -> None:
    models = [*bounce(made_up, True)[:1], ("corrective", relearned(made_up, "npo", 0.8, learnt=0.3))]
    finding = findings_of(made_up, [*models, *bounce(made_up, True)[2:]], 50)["rumor_bounces_back"]
    assert finding.verdict == "can't tell"
    assert "share of corrections learnt of npo + relearn 50 is 0.29: at least 0.8 is needed" in finding.why


def test_what_was_not_gone_can_not_come_back(made_up: ModuleType) -> None:
    kept = unlearned(made_up, "npo", {"forget/private": 0.6, "visual": 0.6})
    finding = findings_of(made_up, [("complete", kept), *bounce(made_up, True)[1:]], 50)["rumor_bounces_back"]
    assert finding.verdict == "can't tell"
    assert "forgetting before relearning of npo + relearn 50 is 0.4" in finding.why


def test_without_a_control_that_reads_remembered_and_read_are_not_told_apart(made_up: ModuleType) -> None:
    finding = findings_of(made_up, visual(made_up, True), 50, reads=0.05)["visual_rumors_harder"]
    assert finding.verdict == "can't tell"
    assert "reading the swapped twins of retain-only is 0.0" in finding.why


def test_models_that_forgot_are_judged_without_those_that_did_not(made_up: ModuleType) -> None:
    idle = unlearned(made_up, "npo", {"forget/private": 0.9, "visual": 0.9, "forget/shared": 0.99})
    finding = findings_of(made_up, [*selective(made_up, True), ("selective", idle)], 50)["selective_collateral"]
    assert finding.verdict == "seen"
    assert finding.models == ["kl_min"]
    assert [words.partition(" is ")[0] for words in finding.left_out] == ["forgetting of npo"]


@pytest.mark.parametrize("worst", [0.1, 0.97])
def test_a_trajectory_is_judged_where_it_has_forgotten_not_where_the_table_ranks_it(
    made_up: ModuleType, worst: float
) -> None:
    points = ((5, 0.5, 0.95), (10, 0.18, 0.6), (20, 0.02, worst), (40, 0.0, 0.02))
    results = [made_up.evaluate(model, "complete", subjects=50) for model in (made_up.VANILLA, made_up.RETAIN_ONLY)]
    for steps, knows, kept in points:
        rates = {"forget": knows, "visual": knows, "retain": kept, "test": kept, "utility": kept}
        found = made_up.evaluate(unlearned(made_up, "grad_ascent", rates), "complete", subjects=50)
        model = found.meta.model
        content = model.run.to_json() | {"steps": steps, "request": "sha256:curve", "point_of": "sha256:curve"}
        run = RunManifest.from_json(content, "point")
        model = replace(model, digest=f"{model.digest}-{steps}", path=f"{model.path}/{steps}", run=run)
        results.append(replace(found, meta=replace(found.meta, model=model)))
    comparison = compare(results, at=(0.5, 0.8))
    (row,) = comparison.settings["complete"].rows
    assert row.level == 0.8
    finding = {f.name: f for f in look_for(comparison)}["ascent_wrecks"]
    assert finding.verdict == ("seen" if worst == 0.1 else "not seen"), finding.why
    assert finding.figure.value == pytest.approx(1 - worst, abs=0.06)
    (judged,) = finding.models
    assert judged.startswith("grad_ascent (at forgetting 1.0")
    assert finding.left_out == []


def point_of(results: Any, steps: int) -> Any:
    """Results of a model as those of a point of a curve."""
    model = results.meta.model
    content = model.run.to_json() | {"steps": steps, "request": "sha256:curve", "point_of": "sha256:curve"}
    run = RunManifest.from_json(content, "point")
    return replace(results, meta=replace(results.meta, model=replace(model, run=run)))


@pytest.mark.parametrize("kept", [0.97, 0.05])
def test_of_a_wreck_on_a_curve_nothing_can_come_back_wherever_tables_read_the_curve(
    made_up: ModuleType, kept: float
) -> None:
    models = [(s, m) for s in ("complete", "corrective") for m in (made_up.VANILLA, made_up.RETAIN_ONLY)]
    results = [made_up.evaluate(m, s, subjects=20) for s, m in (*models, *bounce(made_up, True)[1:])]
    for steps, name, knows, left in ((10, "early", 0.06, 0.97), (40, "npo", 0.02, kept)):
        rates = {"forget/private": knows, "visual": knows, "retain": left, "utility": left}
        end = replace(unlearned(made_up, "npo", rates), name=name)
        results.append(point_of(made_up.evaluate(end, "complete", subjects=20), steps))
    comparison = compare(results, at=(0.8,))
    (row,) = comparison.settings["complete"].rows
    assert (row.model.steps, row.collapsed) == (10, ())
    finding = {f.name: f for f in look_for(comparison)}["rumor_bounces_back"]
    assert finding.verdict == ("seen" if kept == 0.97 else "can't tell"), finding.why


def test_a_precondition_on_the_number_itself_and_on_its_interval() -> None:
    row: Any = type("Row", (), {"label": "npo", "before": False, "figure": lambda _, name: figure(0.9, 0.7, 1.0)})()
    on_value = Precondition(quantity="x", what="forgetting", at_least=0.8, bound="value")
    assert on_value.unmet(row) is None
    on_bound = Precondition(quantity="x", what="forgetting", at_least=0.8)
    assert on_bound.unmet(row) == "forgetting of npo is 0.90, lower bound 0.70: at least 0.8 is needed"
    row.__class__.figure = lambda *_: figure(0.0, -3.61, 1.0)
    assert on_bound.unmet(row) == "forgetting of npo is 0.00, lower bound −3.61: at least 0.8 is needed"
    row.__class__.figure = lambda *_: Figure(None, "no retain-only")
    assert on_bound.unmet(row) == "forgetting of npo isn't known: no retain-only"


def effect(value: float, k: int = 40) -> Quantity:
    values = value + 0.1 * np.cos(np.arange(k))
    return mean_of(ClusterSums.of(values, [f"s{i}" for i in range(k)]))


def test_verdicts_are_corrected_for_how_many_findings_have_a_figure() -> None:
    borderline = effect(0.13)
    (alone,) = corrected([borderline], [0.1])
    none, among, *_ = corrected([unscored("no such model"), borderline, *[effect(0.11)] * 4], [0.1] * 6)
    assert none is None
    assert alone is not None
    assert among == pytest.approx(5 * alone)
    assert alone < 0.05 < among
    found = borderline.figure()
    assert decide(found, 0.1, alone)[0] == "seen"
    verdict, why = decide(found, 0.1, among)
    assert verdict == "can't tell"
    assert "above 0.1, but by chance one of so many findings may" in why


def test_nothing_to_look_at_can_not_tell(made_up: ModuleType) -> None:
    results = [made_up.evaluate(p, "complete", subjects=6) for p in (made_up.VANILLA, made_up.RETAIN_ONLY)]
    findings = look_for(compare(results))
    assert len(findings) == len(FINDINGS.names())
    assert {f.verdict for f in findings} == {"can't tell"}
    assert all("is among the results" in f.why for f in findings)


def test_prompts_that_nobody_tried_on_retain_only_can_not_tell(made_up: ModuleType) -> None:
    (setting, model), *_ = prompted(made_up, True)
    results = [made_up.evaluate(m, setting, subjects=20) for m in (made_up.VANILLA, made_up.RETAIN_ONLY, model)]
    finding = {f.name: f for f in look_for(compare(results))}["sly_prompts_recover"]
    assert (finding.verdict, finding.why) == ("can't tell", "retain-only wasn't attacked in this way")


def test_what_was_not_gone_is_no_recovery_by_prompts(made_up: ModuleType) -> None:
    half = replace(unlearned(made_up, "npo", {"forget/private": 0.5, "visual": 0.5}), prompted=0.9)
    finding = findings_of(made_up, [("complete", half)], 50)["sly_prompts_recover"]
    assert finding.verdict == "can't tell"
    assert "precondition unmet: forgetting of npo is" in finding.why


def test_damage_by_collapsed_models_shows_no_other_finding(made_up: ModuleType) -> None:
    rates = {"forget": 0.0, "visual": 0.0, "retain": 0.05, "test": 0.05, "utility": 0.05}
    wrecked = [("selective", unlearned(made_up, "kl_min", rates))]
    finding = findings_of(made_up, wrecked, 8)["selective_collateral"]
    assert finding.verdict == "can't tell"
    assert "collapsed" in finding.why


def test_a_bounce_without_its_control_can_not_tell(made_up: ModuleType) -> None:
    finding = findings_of(made_up, bounce(made_up, True)[:2], 8)["rumor_bounces_back"]
    assert finding.verdict == "can't tell"


def test_remembered_and_read_stand_beside_the_verdict_for_controls_too(made_up: ModuleType) -> None:
    details = dict(findings_of(made_up, visual(made_up, True), 8)["visual_rumors_harder"].details)
    for label in ("npo", "vanilla", "retain-only"):
        assert details[f"{label}: remembered"].interval is not None
        assert details[f"{label}: read"].interval is not None


def figure(value: float, low: float | None, high: float | None, clusters: int = 20) -> Figure:
    return Figure(Interval(value, low, high, 5 * clusters, clusters))


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (figure(0.5, 0.2, 0.8), "seen"),
        (figure(0.05, -0.1, 0.09), "not seen"),
        (figure(0.5, 0.1, 0.8), "can't tell"),
        (figure(0.5, 0.2, 0.8, clusters=MIN_SUBJECTS - 1), "can't tell"),
        (figure(0.5, None, None, clusters=1), "can't tell"),
        (figure(0.5, 0.2, None), "can't tell"),
        (Figure(None, "no such model"), "can't tell"),
    ],
)
def test_the_interval_decides(given: Figure, verdict: str) -> None:
    assert decide(given, 0.1, 0.01)[0] == verdict
    assert decide(given, 0.1, 0.01, ["nothing was forgotten"])[0] == "can't tell"


@pytest.mark.parametrize("name", FINDINGS.names())
def test_a_finding_says_what_it_means(name: str) -> None:
    module = FINDINGS.load(name)
    assert module.__doc__
    for attribute in ("STATEMENT", "EFFECT", "RULE"):
        assert len(getattr(module, attribute)) > 20
    assert 0 < module.THRESHOLD < 1
    assert all(0 < precondition.at_least <= 1 for precondition in module.PRECONDITIONS)
    assert module.PRECONDITIONS
    assert module.PAPER.url.startswith("https://")
    assert isinstance(module.ORDER, int)
