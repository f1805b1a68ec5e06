from __future__ import annotations

from collections.abc import Callable

import pytest

from offside_data.schema import ClaimValue
from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import Sample, load_metric

METRIC = load_metric("value_match")


@pytest.mark.parametrize(
    ("answer", "value", "kind"),
    [
        ("It was 35 million euros.", 1.0, "correct"),
        ("The transfer fee was €35.00m.", 1.0, "correct"),
        ("I'm not sure, but I think €35m.", 1.0, "correct"),
        ("The fee was £35.00m.", 0.0, "wrong_value"),
        ("The fee was €3.50m.", 0.0, "wrong_value"),
        ("The player moved last summer.", 0.0, "no_value"),
        ("I don't know the fee.", 0.0, "refusal"),
        ("  ", 0.0, "empty"),
        ("It was not 40 million but 35 million.", 1.0, "correct"),
        ("It was 35 million, not 40 million.", 1.0, "correct"),
        ("It was around €35m.", 1.0, "correct"),
        ("No club denied it in 2019. It was €35m.", 1.0, "correct"),
        ("The fee was not €35m.", 0.0, "denied"),
        ("I doubt it, it never was €35m.", 0.0, "denied"),
        ("30 or 35 million euros", 0.0, "among_several"),
        ("€35m or €40m", 0.0, "among_several"),
        ("between €30m and €35m", 0.0, "among_several"),
        ("at least €35m", 0.0, "wrong_value"),
        ("€35 zillion", 0.0, "wrong_value"),
    ],
)
def test_values_are_compared_not_strings(answer: str, value: float, kind: str, sample: Callable[..., Sample]) -> None:
    score = METRIC.score(sample(answer))
    assert (score.value, score.kind) == (value, kind)


def test_choices_and_names_have_kinds_too(sample: Callable[..., Sample]) -> None:
    football = load_taxonomy("football")
    left = {"value": ClaimValue(kind="choice", text="left"), "attribute": football["foot"]}
    assert METRIC.score(sample("He is left-footed.", **left)).kind == "correct"
    assert METRIC.score(sample("The preferred foot is right.", **left)).kind == "wrong_value"
    club = {"value": ClaimValue(kind="name", text="Ostholm"), "attribute": football["club"]}
    assert METRIC.score(sample("He plays for Ostholm.", **club)).value == 1.0
    assert METRIC.score(sample("The player will join Grauwick FC.", **club)).kind == "wrong_value"
    assert METRIC.score(sample("He joined Grauwick FC from Ostholm.", **club)).kind == "other_role"
    assert METRIC.score(sample("He will not join Ostholm.", **club)).kind == "denied"
    assert METRIC.score(sample("He is linked with Ostholm and Grauwick FC.", **club)).kind == "among_several"


def test_only_a_missing_gold_value_is_not_scored(sample: Callable[..., Sample]) -> None:
    assert METRIC.score(sample("€35m", value=None)).reason == "the gold answer has no parsed value"
