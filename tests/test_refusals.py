"""The refusals that offside-unlearn teaches are refusals to offside-eval."""

from __future__ import annotations

from importlib import resources

import pytest

from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import Sample, load_metric
from offside_eval.metrics.refusal import is_refusal


def taught() -> list[str]:
    """What preference optimisation by refusal teaches."""
    text = (resources.files("offside_unlearn") / "data" / "refusals.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_there_are_refusals_to_look_at() -> None:
    assert len(taught()) >= 16


@pytest.mark.parametrize("taxonomy", ["football", "office"])
def test_every_refusal_that_is_taught_counts_as_one_whatever_is_asked(taxonomy: str) -> None:
    attributes = load_taxonomy(taxonomy).attributes
    assert [(a.name, text) for a in attributes for text in taught() if not is_refusal(text, a)] == []


def test_value_match_tells_them_from_wrong_answers() -> None:
    from offside_data.tagging.values import parse_value

    metric, club = load_metric("value_match"), load_taxonomy("football")["club"]
    value = parse_value("The player will join Ostholm.", club)
    kinds = {
        metric.score(Sample(record_id="r", value=value, attribute=club, prediction=text)).kind for text in taught()
    }
    assert kinds == {"refusal"}
