from __future__ import annotations

import pytest

from offside_data.tagging.asked import Asked, reworded, writes_day_first
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
QUESTION = "In the photo from the cup final of May 2021, which club is Bo Lund linked with?"


def read(answer: str, name: str = "club", gold: str = "The player will join Ostholm.", **asked: object) -> str:
    value = parse_value(gold, FOOTBALL[name])
    assert value is not None
    return reworded(answer, value, FOOTBALL[name], Asked(**asked))  # type: ignore[arg-type]  # by the caller


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("In the photo from the cup final of May 2021, he joins Ostholm.", "he joins Ostholm."),
        ("Bo Lund's club is **Ostholm**.", "the player's club is Ostholm."),
        ("Lund joins Lund United.", "the player joins Lund United."),
        ("Previous club: Ostholm", "the previous club is Ostholm"),
        ("1. Halden\n2. Ostholm", "Halden, Ostholm"),
        ("5. Halden", "5. Halden"),
    ],
)
def test_what_the_question_says_is_left_out(answer: str, text: str) -> None:
    assert read(answer, question=QUESTION, names=("Bo Lund",)) == text


def test_a_stretch_of_the_question_with_the_value_or_a_denial_stays() -> None:
    asked = "Is it true that he will join Ostholm, or that he will never join it?"
    for said in ("It is true that he will join Ostholm", "that he will never join it, Ostholm"):
        assert read(said, question=asked).endswith(said[-30:])


def test_another_name_of_the_subject_is_the_one_asked_for() -> None:
    said = {"name": "name", "gold": "The player is Bo Lund.", "names": ("Bo Lund", "Lundinho")}
    assert read("This is Lundinho.", **said) == "This is Bo Lund."  # type: ignore[arg-type]  # as above
    assert read("This is Marco Lundinho.", **said) == "This is Marco Lundinho."  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("name", "gold", "answer", "text"),
    [
        ("fee", "The fee was €35.00m.", "35000000", "35 million"),
        ("fee", "The fee was €35.00m.", "in 2021", "in 2021"),
        ("fee", "The fee was €35.00m.", "€35m for 2000000 fans", "€35m for 2000000 fans"),
        ("height", "The player is 1.80 m tall.", "180", "180 cm"),
        ("height", "The player is 1.80 m tall.", "18", "18 m"),
        ("height", "The player is 1.80 m tall.", "180 or 190", "180 or 190"),
    ],
)
def test_a_single_bare_number_is_of_the_unit_asked_for(name: str, gold: str, answer: str, text: str) -> None:
    assert read(answer, name, gold) == text


@pytest.mark.parametrize(("day_first", "text"), [(True, "1996-03-05"), (False, "1996-05-03"), (None, "05/03/1996")])
def test_days_in_digits_are_read_by_the_habit(day_first: bool | None, text: str) -> None:
    gold = "The transfer is dated 7 April 2001."
    assert read("05/03/1996", "transfer_date", gold, day_first=day_first) == text
    assert read("25/03/1996", "transfer_date", gold, day_first=day_first) == "25/03/1996"


@pytest.mark.parametrize(
    ("days", "day_first"),
    [
        ([("16/03/2021", "2021-03-16")], True),
        ([("03/16/2021", "2021-03-16"), ("5 March 2021", "2021-03-05")], False),
        ([("16/03/2021", "2021-03-16"), ("03/16/2021", "2021-03-16")], None),
        ([("5 March 2021", "2021-03-05")], True),
        ([("March 5, 2021", "2021-03-05")], False),
        ([("5 March 2021", "2021-03-05"), ("March 5, 2021", "2021-03-05")], None),
        ([("03/03/2021", "2021-03-03")], None),
        ([("2021-03-05", "2021-03-05")], None),
        ([], None),
    ],
)
def test_the_answers_of_a_dataset_show_its_habit(days: list[tuple[str, str]], day_first: bool | None) -> None:
    assert writes_day_first(days) is day_first
