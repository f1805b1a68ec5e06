from __future__ import annotations

from typing import Any


def test_the_true_value_among_the_wrong_answers(found: Any, setter: Any) -> None:
    change = setter("s1", "nationality", perturbed_answers=["It is Avaria, I think.", "It is Belmora."])
    (issue,) = found("answers", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("error", "true-distractor")
    assert "'It is Avaria, I think.'" in issue.message


def test_the_true_value_written_otherwise_among_the_choices(found: Any, setter: Any) -> None:
    fee = {
        "attribute": "fee",
        "answer": "The fee was €35.00m.",
        "value": {
            "kind": "amount",
            "text": "€35.00m",
            "number": 35e6,
            "unit": None,
            "currency": "EUR",
            "date": None,
        },
        "choices": ["€35.00m", "€20.00m", "35 million euros"],
        "correct_choice": 0,
    }
    issues = found("answers", {"multimodal/retain": setter("s1", "club", **fee)})
    assert ["choice 2" in issue.message for issue in issues if issue.code == "true-distractor"] == [True]
    assert {issue.code for issue in issues} >= {"true-distractor", "choice-repeated"}


def test_an_answer_without_its_value(found: Any, setter: Any) -> None:
    (issue,) = found("answers", {"text/forget": setter("s1", "club", answer="The player was with nobody.")})
    assert (issue.severity, issue.code) == ("warning", "value-not-in-answer")


def test_a_wrong_choice_marked_correct(found: Any, setter: Any) -> None:
    issues = found("answers", {"text/forget": setter("s1", "club", correct_choice=1)})
    assert {f.code for f in issues} == {"value-not-in-choice", "true-distractor"}
    assert {f.severity for f in issues} == {"error"}


def test_records_without_a_value_are_passed_over(found: Any, setter: Any) -> None:
    assert found("answers", {"text/forget": setter("s1", "club", value=None, answer="Nothing.")}) == []
