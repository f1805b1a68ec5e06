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
Cast = Sequence[tuple[str, Any]]


def study(story: ModuleType, cast: Cast, subjects: int) -> dict[str, Finding]:
    """Findings in the results of vanilla, retain-only and `cast` (setting, player)."""
    results = [
        story.evaluate(player, setting, subjects=subjects)
        for setting in dict.fromkeys(setting for setting, _ in cast)
        for player in (story.VANILLA, story.RETAIN_ONLY)
    ]
    results += [story.evaluate(player, setting, subjects=subjects) for setting, player in cast]
    return {f.name: f for f in look_for(compare(results))}


def unlearned(story: ModuleType, method: str, rates: Mapping[str, float]) -> Any:
    return story.Player(name=method, role="unlearned", method=method, rates=KEEPS | dict(rates), default=0.95)


def relearned(story: ModuleType, parent: str, forget: float) -> Any:
    rates = KEEPS | {"forget/private": forget, "visual": forget, "relearn/private": 0.95}
    return story.Player(name=f"{parent}-again", role="relearned", rates=rates, default=0.95, parent=parent, steps=50)


def ascent(story: ModuleType, seen: bool) -> Cast:
    kept = 0.1 if seen else 0.95
    rates = {"forget": 0.05, "retain": kept, "test": kept, "utility": kept}
    return [("complete", unlearned(story, "grad_ascent", rates))]


def selective(story: ModuleType, seen: bool) -> Cast:
    rates = {"forget/private": 0.1, "visual": 0.1, "forget/shared": 0.4 if seen else 0.97}
    return [("selective", unlearned(story, "kl_min", rates))]


def bounce(story: ModuleType, seen: bool) -> Cast:
    npo = unlearned(story, "npo", {"forget/private": 0.1, "visual": 0.1})
    return [
        ("complete", npo),
        ("corrective", relearned(story, "npo", 0.8 if seen else 0.06)),
        ("corrective", relearned(story, "retain-only", 0.06 if seen else 0.3)),
    ]


def unimodal(story: ModuleType, seen: bool) -> Cast:
    picture = 0.95 if seen else 0.05
    rates = {"text/forget/private": 0.1, "multimodal/forget/private": picture, "visual": picture}
    return [("unimodal", unlearned(story, "npo", rates))]


def visual(story: ModuleType, seen: bool) -> Cast:
    rates = {"forget/private": 0.1, "visual": 0.9} if seen else {"forget/private": 0.4, "visual": 0.05}
    return [("complete", unlearned(story, "npo", rates))]


STORIES = {
    "ascent_wrecks": ascent,
    "selective_collateral": selective,
    "rumor_bounces_back": bounce,
    "text_misses_picture": unimodal,
    "visual_rumors_harder": visual,
}


def test_every_finding_has_its_story_here() -> None:
    assert set(STORIES) == set(FINDINGS.names())


@pytest.mark.parametrize("name", STORIES)
def test_opposite_data_get_the_opposite_verdict(story: ModuleType, name: str) -> None:
    subjects = 32 if name == "visual_rumors_harder" else 10
    seen = study(story, STORIES[name](story, True), subjects)[name]
    assert (seen.verdict, seen.why) == ("seen", f"the whole interval lies above {seen.threshold:g}")
    opposite = study(story, STORIES[name](story, False), subjects)[name]
    assert (opposite.verdict, opposite.why) == (
        "not seen",
        f"the whole interval lies below {seen.threshold:g}",
    )
    assert seen.models
    assert seen.figure.interval is not None
    assert seen.figure.interval.n_clusters >= MIN_SUBJECTS


@pytest.mark.parametrize("name", STORIES)
def test_few_subjects_can_not_tell(story: ModuleType, name: str) -> None:
    finding = study(story, STORIES[name](story, True), 4)[name]
    assert finding.verdict == "can't tell"
    assert "too few" in finding.why or "measurably" in finding.why


def test_nothing_to_look_at_can_not_tell(story: ModuleType) -> None:
    results = [story.evaluate(p, "complete", subjects=6) for p in (story.VANILLA, story.RETAIN_ONLY)]
    findings = look_for(compare(results))
    assert len(findings) == len(FINDINGS.names())
    assert {f.verdict for f in findings} == {"can't tell"}
    assert all("is among the results" in f.why for f in findings)


def test_damage_by_collapsed_models_shows_no_other_finding(story: ModuleType) -> None:
    rates = {"forget": 0.0, "visual": 0.0, "retain": 0.05, "test": 0.05, "utility": 0.05}
    wrecked = [("selective", unlearned(story, "kl_min", rates))]
    finding = study(story, wrecked, 8)["selective_collateral"]
    assert finding.verdict == "can't tell"
    assert "collapsed" in finding.why


def test_a_bounce_without_its_control_can_not_tell(story: ModuleType) -> None:
    finding = study(story, bounce(story, True)[:2], 8)["rumor_bounces_back"]
    assert finding.verdict == "can't tell"


def test_remembered_and_read_stand_beside_the_verdict_for_controls_too(story: ModuleType) -> None:
    details = dict(study(story, visual(story, True), 8)["visual_rumors_harder"].details)
    for who in ("npo", "vanilla", "retain_only"):
        assert details[f"{who}: remembered"].interval is not None
        assert details[f"{who}: read"].interval is not None


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
