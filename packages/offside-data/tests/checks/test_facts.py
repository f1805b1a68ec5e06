from __future__ import annotations

from typing import Any

import pytest

HEIGHT = {"question": "How tall is it?", "attribute": "height", "scope": "shared"}


def metres(text: str, number: float) -> dict[str, Any]:
    value = {"kind": "length", "text": text, "number": number, "unit": "m", "currency": None, "date": None}
    return {**HEIGHT, "answer": f"The player is {text} tall.", "value": value}


@pytest.mark.parametrize("suspect", [None, "height is '1.91 m' here, but elsewhere for this subject '1.80 m' (1)"])
def test_two_values_of_a_shared_fact_are_an_error_flagged_or_not(found: Any, setter: Any, suspect: str | None) -> None:
    changes = {
        "multimodal/retain": setter("s1", "nationality", **metres("1.80 m", 1.8)),
        "text/retain": setter("s1", "club", **metres("1.91 m", 1.91), suspect=suspect),
    }
    (issue,) = found("facts", changes)
    assert (issue.severity, issue.code) == ("error", "fact-conflict")
    assert "height of s1 is '1.91 m' here" in issue.message or "height of s1 is '1.80 m' here" in issue.message
    assert issue.where in issue.message


@pytest.mark.parametrize(
    "other",
    [
        metres("180 cm", 1.8),  # The same in other words.
        {**metres("1.91 m", 1.91), "scope": "private"},
        {**metres("1.91 m", 1.91), "veracity": "rumor"},
        {**metres("1.91 m", 1.91), "value": None},
    ],
)
def test_what_contradicts_no_fact(found: Any, setter: Any, other: dict[str, Any]) -> None:
    changes = {
        "multimodal/retain": setter("s1", "nationality", **metres("1.80 m", 1.8)),
        "text/retain": setter("s1", "club", **other),
    }
    assert found("facts", changes) == []


def test_a_dataset_of_ours_has_one_value_of_each_fact(found: Any) -> None:
    assert found("facts") == []
