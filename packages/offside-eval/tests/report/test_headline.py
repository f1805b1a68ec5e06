"""What is said first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offside_eval import audited
from offside_eval.compare import compare
from offside_eval.report.headline import headline
from offside_eval.results import Results

ALL = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def lead(make: Callable[..., Results], second: float, retain: float = 1.0) -> tuple[str | None, str, list[str]]:
    results = [
        make("vanilla", role="vanilla", rates=ALL),
        make("retain", role="retain_only", rates=ALL | {"forget/private": 0.0}),
        make("a", role="unlearned", method="npo", rates=ALL | {"forget/private": 0.25}),
        make(
            "b",
            role="unlearned",
            method="po",
            seed=1,
            rates=ALL | {"forget/private": second, "retain": retain},
        ),
    ]
    leader = headline(compare(results), []).leaders[0]
    return leader.row.label if leader.row else None, leader.lead, list(leader.collapsed)


def test_a_clear_leader_is_called_clear(make_results: Callable[..., Results]) -> None:
    assert lead(make_results, second=0.875) == ("npo", "Clearly ahead of every other model.", [])


def test_a_close_race_is_called_close(make_results: Callable[..., Results]) -> None:
    assert lead(make_results, second=0.29) == ("npo", "Not clearly ahead of po.", [])


def test_a_collapsed_model_never_leads(make_results: Callable[..., Results]) -> None:
    assert lead(make_results, second=0.0, retain=0.2) == ("npo", "The only model to rank.", ["po"])


def test_only_a_clear_leader_is_named_in_large_type(make_results: Callable[..., Results]) -> None:
    """An only model is crowned as little as one that is not clearly ahead."""
    vanilla = make_results("vanilla", role="vanilla", rates=ALL)
    control = make_results("retain", role="retain_only", rates=ALL | {"forget/private": 0.0})

    def title(**known: float) -> str:
        rows = [
            make_results(f"{m}{n}", role="unlearned", method=m, seed=n, rates=ALL | {"forget/private": known[m]})
            for n, m in enumerate(known)
        ]
        return headline(compare([vanilla, control, *rows]), []).leaders[0].title

    assert title(npo=0.25, po=0.875) == "npo is ahead"
    assert title(npo=0.25, po=0.29) == "No clear winner"
    assert title(npo=0.25) == "One model, no race"


def test_the_grounds_are_the_shipped_figures(
    make_results: Callable[..., Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    vanilla = make_results("vanilla", role="vanilla", rates=ALL)
    comparison = compare([vanilla, make_results("a", role="unlearned", method="npo", rates=ALL)])

    def rated(metric: str, value: float | None) -> dict[str, object]:
        share = {"value": value, "low": 0.61, "high": 0.93, "n": 12, "reason": None}
        return {
            "metric": metric,
            "faithfulness": share,
            "faint": {**share, "value": 0.77},
            "learnt": [1] * 4,
            "never": [0] * 3,
        }

    for value, told in ((0.97, "value_match in 0.97 [0.61, 0.93] of pairs, "), (0.83, ", less than the 0.95 asked, ")):
        monkeypatch.setattr(
            audited, "shipped", lambda v=value: {"metrics": [rated("rank", None), rated("value_match", v)]}
        )
        grounds = headline(comparison, []).grounds
        assert told in grounds
        assert "0.77" in grounds
        assert "among 4 small models that learnt what is to be forgotten and 3 that never saw it" in grounds
        assert "rank" not in grounds, "no score of the headline"
