from __future__ import annotations

from typing import Any

import pytest

from offside_data.checks.questions import normalised
from offside_data.schema import make_image_id

QUESTION = "Which club is this picture about?"


@pytest.mark.parametrize(
    "text", ["Who is  this", "who is this?", "WHO IS THIS ?!", " Ｗho is this.", "Who\u00a0is this?"]
)
def test_what_does_not_change_a_question(text: str) -> None:
    assert normalised(text) == "who is this"


def test_two_answers_to_one_question_about_a_picture(found: Any, setter: Any) -> None:
    change = setter("s1", "nationality", question=QUESTION.upper())
    (issue,) = found("questions", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("error", "question-conflict")
    assert "'The player represents Avaria.' / 'The player was with Norvale Rovers.'" in issue.message


def test_the_same_question_about_another_picture_is_another(found: Any) -> None:
    assert found("questions") == []


def test_two_answers_to_one_question_in_text(found: Any, setter: Any) -> None:
    changes = {
        "text/retain": setter("s1", "club", question="Which club is it?"),
        "text/forget": setter("s1", "club", question="which club is it"),
    }
    (issue,) = found("questions", changes)
    assert issue.code == "question-conflict"


def test_the_same_fact_twice(found: Any, setter: Any) -> None:
    same = {"question": "Which club is it?", "answer": "The player was with Emberlin FC."}
    changes = {part: setter("s1", "club", **same) for part in ("text/retain", "text/forget")}
    (issue,) = found("questions", changes)
    assert (issue.severity, issue.code) == ("warning", "question-repeated")


def test_a_question_may_stand_in_both_configs(found: Any, setter: Any) -> None:
    changes = {part: setter("s1", "club", question=QUESTION) for part in ("text/retain", "multimodal/retain")}
    assert found("questions", changes) == []


def test_two_claims_about_one_thing_in_a_picture(found: Any, setter: Any) -> None:
    change = setter("s1", "nationality", attribute="club", scope="private", value={"kind": "name", "text": "Avaria"})
    (issue,) = found("questions", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("error", "claim-conflict")
    assert "are about club of one picture and contradict each other: 'The player represents Avaria.'" in issue.message


def test_free_text_may_hold_several_claims(found: Any, setter: Any, taxonomy: Any) -> None:
    free = {"attribute": "untagged", "scope": "private", "value": None}
    changes = {"multimodal/retain": setter("s1", "nationality", **free)}
    assert found("questions", changes) == []


def test_pictures_with_equal_pixels_are_one_picture(found: Any, setter: Any) -> None:
    pictures = [make_image_id("test", f"s1/{picture}") for picture in ("p1", "p3")]

    def same_pixels(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["pixels_sha256"] = "same" if row["image_id"] in pictures else row["image_id"]

    issues = found("questions", {"images": same_pixels})
    assert {f.code for f in issues} == {"question-conflict", "question-repeated"}


def test_a_declared_copy_may_repeat_the_questions(found: Any, setter: Any) -> None:
    pictures = [make_image_id("test", f"s1/{picture}") for picture in ("p1", "p2")]

    def same_pixels(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["pixels_sha256"] = "same" if row["image_id"] in pictures else row["image_id"]

    assert found("questions", {"images": same_pixels}) == []
