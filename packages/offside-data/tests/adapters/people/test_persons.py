from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters._base import ReadOptions
from offside_data.adapters._people.persons import PersonQuestions, SourceQuestion, join
from offside_data.adapters._pictures import Pixels
from offside_data.errors import TaxonomyError
from offside_data.schema import Record
from offside_data.taxonomy import load_taxonomy


@pytest.fixture
def questions() -> PersonQuestions:
    return PersonQuestions("bench", ReadOptions(taxonomy=load_taxonomy("people")))


def item(
    questions: PersonQuestions, question: str = "Which trade?", answer: str = "A baker.", **changes: Any
) -> SourceQuestion:
    questions.add_subject("p1", "retain", "Ilmar Quist")
    picture = questions.add_picture("1", Pixels(data=b"1"), [], subject_id="p1", split="retain")
    values: dict[str, Any] = {
        "file": "f",
        "index": 0,
        "place": "task[0]",
        "subject_id": "p1",
        "split": "retain",
        "picture": picture,
        "question": question,
        "answer": answer,
        "asked": question,
        "told": answer,
    }
    return SourceQuestion(**{**values, **changes})


def records(questions: PersonQuestions, *items: SourceQuestion) -> Sequence[Record]:
    for one in items:
        questions.add(one)
    imported = questions.close()
    imported.check_accounts()
    return imported.records


def test_the_same_place_twice_gets_another_ordinal(questions: PersonQuestions) -> None:
    first, second = records(questions, item(questions), item(questions, question="Which town?"))
    assert first.record_id != second.record_id


def test_options_join_the_sentence_whichever_comes_first(questions: PersonQuestions) -> None:
    choice = item(questions, answer="baker", value="baker", choices=("tanner", "baker"), correct=1, told="B")
    sentence = item(questions, answer="This is a baker.")
    (one,) = records(questions, choice, sentence)
    (other,) = records(PersonQuestions("bench", questions.options), sentence, choice)
    for record in (one, other):
        assert (record.answer, record.choices, record.correct_choice) == ("This is a baker.", ("tanner", "baker"), 1)
        assert record.value is not None
        assert record.value.text == "baker"
        assert record.answer_paraphrases == ()


def test_answers_that_do_not_agree_stay_apart(questions: PersonQuestions) -> None:
    assert len(records(questions, item(questions), item(questions, answer="A tanner."))) == 2


def test_other_options_or_a_cloze_sentence_stay_apart(questions: PersonQuestions) -> None:
    plain, cloze = item(questions), item(questions, answer="He is a baker.", cloze="He is ____.")
    choice, other = (item(questions, choices=("A baker.", wrong), correct=0) for wrong in ("x", "y"))
    assert len(records(questions, plain, cloze, choice, other)) == 3


def test_a_wrong_answer_that_equals_the_longer_right_one_is_left_out(questions: PersonQuestions) -> None:
    short = item(questions, answer="baker", perturbed_answers=("This is a baker.", "This is a tanner."))
    (record,) = records(questions, short, item(questions, answer="This is a baker."))
    assert record.perturbed_answers == ("This is a tanner.",)
    assert record.suspect == "a wrong answer of the source equals the right one, left out"


def test_joining_keeps_every_reason(questions: PersonQuestions) -> None:
    (record,) = records(questions, item(questions, odd=("a; b",)), item(questions, odd=("c", "a; b")))
    assert record.suspect == "a, b; c"


def test_join_is_symmetric_in_whether(questions: PersonQuestions) -> None:
    some = records(
        questions, *(item(questions, question=f"{n}?", answer=a) for n, a in enumerate(["a b", "b", "c", "a b."]))
    )
    for left in some:
        for right in some:
            assert (join(left, right) is None) == (join(right, left) is None)


def test_another_picture_under_the_same_key_gets_a_number(questions: PersonQuestions) -> None:
    first = questions.add_picture("1", Pixels(data=b"1"), [], subject_id="p1", split="retain")
    again = questions.add_picture("1", Pixels(data=b"1"), [], subject_id="p1", split="retain")
    other = questions.add_picture("1", Pixels(path="x.png"), [Path("a")], subject_id="p1", split="retain")
    assert first is again
    assert (first.key, other.key) == ("1", "1-2")
    assert first.image_id != other.image_id


def test_a_value_that_the_answer_does_not_state_is_none(questions: PersonQuestions) -> None:
    (record,) = records(questions, item(questions, value="tanner"))
    assert record.value is None


def test_a_taxonomy_without_the_attribute_says_so() -> None:
    questions = PersonQuestions("bench", ReadOptions(taxonomy=load_taxonomy("football")))
    with pytest.raises(TaxonomyError, match="unknown attribute 'statement'"):
        questions.add(item(questions))
