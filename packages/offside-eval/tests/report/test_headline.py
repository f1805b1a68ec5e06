"""What is said first."""

from __future__ import annotations

from collections.abc import Callable

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
