"""Findings: data that show one, data that show the opposite, and too little data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

from offside_eval.compare import compare
from offside_eval.compare.quantities import Figure
from offside_eval.findings import FINDINGS, MIN_SUBJECTS, Finding, decide, look_for
from offside_eval.statistics import Interval

KEEPS = {"retain": 0.95, "test": 0.95, "utility": 0.95}
Models = Sequence[tuple[str, Any]]


def findings_of(made_up: ModuleType, chosen: Models, subjects: int) -> dict[str, Finding]:
    """Findings in the results of vanilla, retain-only and `chosen` (setting, model)."""
    results = [
        made_up.evaluate(model, setting, subjects=subjects)
        for setting in dict.fromkeys(setting for setting, _ in chosen)
        for model in (made_up.VANILLA, made_up.RETAIN_ONLY)
    ]
    results += [made_up.evaluate(model, setting, subjects=subjects) for setting, model in chosen]
    return {f.name: f for f in look_for(compare(results))}


def unlearned(made_up: ModuleType, method: str, rates: Mapping[str, float]) -> Any:
    return made_up.MadeUpModel(name=method, role="unlearned", method=method, rates=KEEPS | dict(rates), default=0.95)


def relearned(made_up: ModuleType, parent: str, forget: float) -> Any:
    rates = KEEPS | {"forget/private": forget, "visual": forget, "relearn/private": 0.95}
    return made_up.MadeUpModel(
        name=f"{parent}-again", role="relearned", rates=rates, default=0.95, parent=parent, steps=50
    )


def ascent(made_up: ModuleType, seen: bool) -> Models:
    kept = 0.1 if seen else 0.95
    rates = {"forget": 0.05, "retain": kept, "test": kept, "utility": kept}
    return [("complete", unlearned(made_up, "grad_ascent", rates))]


def selective(made_up: ModuleType, seen: bool) -> Models:
    rates = {"forget/private": 0.1, "visual": 0.1, "forget/shared": 0.4 if seen else 0.97}
    return [("selective", unlearned(made_up, "kl_min", rates))]


def bounce(made_up: ModuleType, seen: bool) -> Models:
    npo = unlearned(made_up, "npo", {"forget/private": 0.1, "visual": 0.1})
    return [
        ("complete", npo),
        ("corrective", relearned(made_up, "npo", 0.8 if seen else 0.06)),
        ("corrective", relearned(made_up, "retain-only", 0.06 if seen else 0.3)),
    ]


def unimodal(made_up: ModuleType, seen: bool) -> Models:
    picture = 0.95 if seen else 0.05
    rates = {"text/forget/private": 0.1, "multimodal/forget/private": picture, "visual": picture}
    return [("unimodal", unlearned(made_up, "npo", rates))]


def visual(made_up: ModuleType, seen: bool) -> Models:
    rates = {"forget/private": 0.1, "visual": 0.9} if seen else {"forget/private": 0.4, "visual": 0.05}
    return [("complete", unlearned(made_up, "npo", rates))]


CASES = {
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
    subjects = 32 if name == "visual_rumors_harder" else 10
    seen = findings_of(made_up, CASES[name](made_up, True), subjects)[name]
    assert (seen.verdict, seen.why) == ("seen", f"the whole interval lies above {seen.threshold:g}")
    opposite = findings_of(made_up, CASES[name](made_up, False), subjects)[name]
    assert (opposite.verdict, opposite.why) == (
        "not seen",
        f"the whole interval lies below {seen.threshold:g}",
    )
    assert seen.models
    assert seen.figure.interval is not None
    assert seen.figure.interval.n_clusters >= MIN_SUBJECTS


@pytest.mark.parametrize("name", CASES)
def test_few_subjects_can_not_tell(made_up: ModuleType, name: str) -> None:
    finding = findings_of(made_up, CASES[name](made_up, True), 4)[name]
    assert finding.verdict == "can't tell"
    assert "too few" in finding.why or "measurably" in finding.why


def test_nothing_to_look_at_can_not_tell(made_up: ModuleType) -> None:
    results = [made_up.evaluate(p, "complete", subjects=6) for p in (made_up.VANILLA, made_up.RETAIN_ONLY)]
    findings = look_for(compare(results))
    assert len(findings) == len(FINDINGS.names())
    assert {f.verdict for f in findings} == {"can't tell"}
    assert all("is among the results" in f.why for f in findings)


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
    for label in ("npo", "vanilla", "retain_only"):
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
    assert decide(given, 0.1)[0] == verdict


@pytest.mark.parametrize("name", FINDINGS.names())
def test_a_finding_says_what_it_means(name: str) -> None:
    module = FINDINGS.load(name)
    assert module.__doc__
    for attribute in ("STATEMENT", "EFFECT", "RULE"):
        assert len(getattr(module, attribute)) > 20
    assert 0 < module.THRESHOLD < 1
    assert module.PAPER.url.startswith("https://")
    assert isinstance(module.ORDER, int)
