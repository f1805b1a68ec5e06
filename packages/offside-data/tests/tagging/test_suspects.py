from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.schema import Record
from offside_data.tagging.suspects import add_suspect, flag_contradictions
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import Taxonomy, load_taxonomy

FOOTBALL = load_taxonomy("football")


def record(attribute: str, answer: str, number: int = 0, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "record_id": f"r{number}",
        "subject_id": "player-001",
        "image_id": "i1",
        "image": None,
        "modality": "multimodal",
        "split": "retain",
        "attribute": attribute,
        "scope": FOOTBALL[attribute].scope,
        "veracity": "fact",
        "question": f"I'm curious, {number}.",
        "answer": answer,
        "value": parse_value(answer, FOOTBALL[attribute]),
    }
    return Record(**{**values, **changes})


def suspects(records: list[Record], taxonomy: Taxonomy = FOOTBALL) -> list[str | None]:
    store = PictureStore()
    return [r.suspect for r in records_of(flag_contradictions(frame_of(records, "text", store), taxonomy), store)]


def flags(records: list[Record]) -> list[bool]:
    return [suspect is not None for suspect in suspects(records)]


def test_a_reason_is_added_once() -> None:
    twice = add_suspect(add_suspect(add_suspect(record("age", "28"), "odd"), "odder"), "odd")
    assert twice.suspect == "odd; odder"


@pytest.mark.parametrize(
    ("attribute", "answers", "expected"),
    [
        ("nationality", ["The player is Swedish.", "The player is from Sweden."], [False, False]),
        ("birth_place", ["born in Brackwater, Sweden", "born in Brackwater"], [False, False]),
        ("age", ["28 years old", "28 years old", "29 years old"], [False, False, True]),
        ("age", ["28 years old", "29 years old"], [True, True]),
        ("club", ["He was with Ostholm.", "He was with Hollow City."], [False, False]),
    ],
)
def test_shared_facts_that_most_records_contradict(attribute: str, answers: list[str], expected: list[bool]) -> None:
    assert flags([record(attribute, answer, i) for i, answer in enumerate(answers)]) == expected


def test_sentences_of_one_attribute_do_not_contradict_each_other() -> None:
    people = load_taxonomy("people")
    said = ("Ilmar bakes.", "Ilmar likes rain.", "Ilmar bakes.")
    records = [
        dataclasses.replace(record("age", text, i), attribute="statement", value=parse_value(text, people["statement"]))
        for i, text in enumerate(said)
    ]
    assert suspects(records, people) == [None, None, None]
    same = [dataclasses.replace(r, question="What of Ilmar?", modality="text") for r in records[:2]]
    assert all(suspects(same, people))


def test_the_reason_says_what_the_others_say() -> None:
    records = [record("age", text, i) for i, text in enumerate(["28", "28", "29"])]
    assert suspects(records)[2] == ("age is '29' here, but elsewhere for this subject '28' (2)")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("The fee was €20 million.", "The fee was €20.00m.", False),
        ("The fee was €20 million.", "The fee was €21 million.", True),
        ("It is unknown.", "It is  unknown!", False),
    ],
)
def test_one_text_question_must_have_one_answer(first: str, second: str, expected: bool) -> None:
    pair = [
        record("fee", first, 1, modality="text", question="What was the fee of Tavo Lind?"),
        record("fee", second, 2, modality="text", question="what was the fee of Tavo Lind ?", image_id="i2"),
    ]
    assert flags(pair) == [expected, expected]


def test_one_question_about_a_picture_must_have_one_answer() -> None:
    pair = [record(n, a, i, question="And?") for i, (n, a) in enumerate([("age", "28"), ("height", "1.79 m")])]
    assert flags(pair) == [True, True]
    assert flags([pair[0], record("height", "1.79 m", 2, image_id="i2", question="And?")]) == [False, False]
