"""The gallery: which cases are shown."""

from __future__ import annotations

from collections import Counter

from offside_eval.compare import Comparison
from offside_eval.report.cases import MAX_TEXT, _short, gallery


def test_a_mix_of_kinds_and_models_under_the_cap(comparison: Comparison) -> None:
    cases = gallery(comparison, cap=24)
    kinds = Counter(c.kind.key for c in cases)
    assert len(cases) == 24
    assert {"forgotten", "still_there", "collateral", "kept", "came_back", "wrecked"} <= kinds.keys()
    assert max(kinds.values()) - min(kinds.values()) <= 2
    assert len({(c.record_id, c.variant) for c in cases}) == len(cases)
    assert len({c.setting for c in cases}) >= 3
    assert len(gallery(comparison, cap=5)) == 5


def test_the_choice_is_seeded(comparison: Comparison) -> None:
    assert gallery(comparison) == gallery(comparison)
    assert gallery(comparison) != gallery(comparison, seed=1)


def test_each_case_shows_what_its_kind_says(comparison: Comparison) -> None:
    for case in gallery(comparison):
        answers = {a.arm: a for a in case.answers}
        assert answers["vanilla"].right is True
        if case.kind.key in ("forgotten", "collateral", "wrecked"):
            assert answers["self"].right is False
        if case.kind.key in ("still_there", "kept", "came_back", "remembered"):
            assert answers["self"].right is True
        if case.kind.key == "came_back":
            assert answers["parent"].right is False
        assert (case.kind.key == "wrecked") == (case.model == "grad_ascent")
        assert case.kind.key == "remembered" or case.variant == "plain"


def test_a_rumor_stands_beside_its_correction(comparison: Comparison) -> None:
    case = next(c for c in gallery(comparison) if c.kind.key == "forgotten")
    assert case.gold_title == "The rumour it was taught"
    assert case.correction
    kept = next(c for c in gallery(comparison) if c.kind.key == "kept")
    assert (kept.gold_title, kept.correction) == ("The truth", None)


def test_endless_answers_are_cut() -> None:
    assert _short("x" * 5000) == "x" * (MAX_TEXT - 1) + "…"
    assert _short(None) == ""
