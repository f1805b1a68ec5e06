from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"cloze": "The player was with nobody."}, "cloze-blank"),
        ({"cloze": "____ was with ____."}, "cloze-blank"),
        ({"cloze": "He left Norvale Rovers for ____."}, "cloze-tells"),
        ({"answer_paraphrases": ["The club was Kestrin City."]}, "paraphrase-not-value"),
        ({"perturbed_answers": ["The player will join Emberlin."]}, "wrong-answer-true"),
        ({"choices": ["Norvale Rovers", "Emberlin FC"], "correct_choice": 0}, "wrong-answer-true"),
        ({"choices": ["Norvale Rovers", "Kestrin City", "kestrin city fc"], "correct_choice": 0}, "choice-repeated"),
    ],
)
def test_forms_that_are_wrong(found: Any, setter: Any, fields: dict[str, Any], code: str) -> None:
    (issue,) = found("answers", {"text/retain": setter("s1", "club", **fields)})
    assert issue.code == code
    assert issue.severity == ("warning" if code == "choice-repeated" else "error")


def test_a_blank_that_the_value_does_not_fit(found: Any, setter: Any) -> None:
    fee = {"attribute": "fee", "answer": "It cost €2.00m.", "choices": [], "correct_choice": None}
    value = {"kind": "amount", "text": "€2.00m", "number": 2e6, "unit": None, "currency": "EUR", "date": None}
    wrong = setter("s1", "club", **fee, value=value, cloze="It cost $1 more than ____0.")
    assert [f.code for f in found("answers", {"text/retain": wrong})] == ["cloze-not-value"]


def test_a_flagged_record_is_only_warned_about_and_makes_nothing_true(found: Any, setter: Any) -> None:
    told = {"perturbed_answers": ["The player will join Emberlin."]}
    changes = {"text/retain": setter("s1", "club", **told, suspect="odd")}
    assert [f.severity for f in found("answers", changes)] == ["warning"]
    changes = {"text/retain": setter("s1", "club", **told)}
    changes |= {f"{config}/forget": setter("s1", "club", suspect="odd") for config in ("multimodal", "text")}
    assert found("answers", changes) == []


def test_a_paraphrase_that_asks_for_another_answer(found: Any, setter: Any) -> None:
    asked = setter("s1", "nationality", question_paraphrases=["Which club is THIS picture about ?"])
    (issue,) = found("answers", {"multimodal/retain": asked})
    assert (issue.severity, issue.code) == ("error", "paraphrase-conflict")
    assert "which club is this picture about" in issue.message


def test_the_same_paraphrase_about_another_picture_is_another_question(found: Any, setter: Any) -> None:
    changes = {
        f"multimodal/{split}": setter("s1", "club", question_paraphrases=["Which team is it?"])
        for split in ("retain", "forget", "test", "relearn")
    }
    assert found("answers", changes) == []
