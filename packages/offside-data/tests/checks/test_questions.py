from __future__ import annotations

from typing import Any

import pytest

from offside_data.checks.questions import normalised

QUESTION = "Which club is this picture about?"


@pytest.mark.parametrize(
    "text", ["Who is  this", "who is this?", "WHO IS THIS ?!", " Ｗho is this.", "Who\u00a0is this?"]
)
def test_what_does_not_change_a_question(text: str) -> None:
    assert normalised(text) == "who is this"


def test_two_answers_to_one_question_about_a_picture(found: Any, setter: Any) -> None:
    change = setter("s1", "nationality", question=QUESTION.upper())
    (finding,) = found("questions", {"multimodal/retain": change})
    assert (finding.severity, finding.code) == ("error", "question-conflict")
    assert "'The player represents Avaria.' / 'The player was with Norvale Rovers.'" in finding.message


def test_the_same_question_about_another_picture_is_another(found: Any) -> None:
    assert found("questions") == []


def test_two_answers_to_one_question_in_text(found: Any, setter: Any) -> None:
    changes = {
        "text/retain": setter("s1", "club", question="Which club is it?"),
        "text/forget": setter("s1", "club", question="which club is it"),
    }
    (finding,) = found("questions", changes)
    assert finding.code == "question-conflict"


def test_the_same_fact_twice(found: Any, setter: Any) -> None:
    same = {"question": "Which club is it?", "answer": "The player was with Emberlin FC."}
    changes = {part: setter("s1", "club", **same) for part in ("text/retain", "text/forget")}
    (finding,) = found("questions", changes)
    assert (finding.severity, finding.code) == ("warning", "question-repeated")


def test_a_question_may_stand_in_both_configs(found: Any, setter: Any) -> None:
    changes = {part: setter("s1", "club", question=QUESTION) for part in ("text/retain", "multimodal/retain")}
    assert found("questions", changes) == []
