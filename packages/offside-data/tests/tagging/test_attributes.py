from __future__ import annotations

import pytest

from offside_data.tagging.attributes import Rules
from offside_data.taxonomy import Attribute, Taxonomy, load_taxonomy

FOOTBALL = Rules(load_taxonomy("football"))


@pytest.mark.parametrize(
    ("question", "answer", "attribute"),
    [
        ("I'm curious about the birthdate of the player.", "The player was born on May 1, 2000.", "birth_date"),
        ("When was the player in this image transferred?", "He was transferred on July 1, 2019.", "transfer_date"),
        ("I'm curious about the player's role.", "He is positioned as a Left Winger.", "position"),
        ("Which club did he transfer from?", "He transferred from Brackwater B.", "previous_club"),
        ("Which club was the player with at that time?", "He was with Ostholm.", "club"),
        ("What is Tavo Lind's nationality?", "The player is from Sweden.", "nationality"),
        ("I'm curious about the birthplace.", "The player was born in Brackwater, Sweden.", "birth_place"),
        ("What about the transfer fee?", "The player was transferred on a free transfer.", "fee"),
        ("How many titles?", "The player won two trophies at the club.", "trophies"),
        ("Which team is he representing?", "He represents Sweden.", "nationality"),
        ("Well?", "He stands at 1.79 meters.", "height"),
        ("What height does the pictured player have?", "He is 1.79 meters tall.", "height"),
    ],
)
def test_words_and_value_together_decide(question: str, answer: str, attribute: str) -> None:
    assert FOOTBALL.read(question, answer).attribute == attribute


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("Well?", "Hm.", "neither question nor answer says what it is about"),
        ("Well?", "He is 28.", "neither question nor answer says what it is about"),
        ("When was it?", "It was on July 1, 2019.", "neither question nor answer says what it is about"),
        ("What was the fee?", "Ostholm didn't say.", "its words are those of fee, but no such value is readable"),
        (
            "Which team is he representing?",
            "He was representing FC Ostholm.",
            "those of nationality, but no such value",
        ),
        ("Which club is he representing?", "He was with Ostholm then.", "it could be about nationality or club"),
        ("Which club is he representing?", "He represented Ostholm.", "its question has words of other attributes"),
    ],
)
def test_what_isnt_clear_stays_open(question: str, answer: str, why: str) -> None:
    reading = FOOTBALL.read(question, answer)
    assert reading.attribute is None
    assert why in reading.why


VALUES = {
    "date": "May 1, 2000",
    "amount": "€4.00 million",
    "length": "1.79 meters",
    "count": "17",
    "name": "Tavo Brinkhaus",
    "place": "Brackwater",
    "text": "cheaper ferries for all",
}


@pytest.mark.parametrize("name", ["football", "office"])
def test_law_a_taxonomys_own_phrasings_are_never_read_as_another_attribute(name: str) -> None:
    taxonomy = load_taxonomy(name)
    rules = Rules(taxonomy)
    read = [
        (attribute.name, rules.read(question, answer.format(value=_value(attribute))).attribute)
        for attribute in taxonomy.attributes
        for question in (*attribute.questions, *attribute.text_questions)
        for answer in (*attribute.answers, *attribute.rumor_answers)
    ]
    assert {(meant, found) for meant, found in read if found not in (meant, None)} == set()
    assert sum(found is None for _, found in read) <= 0.05 * len(read)


def _value(attribute: Attribute) -> str:
    return attribute.options[0][0] if attribute.kind == "choice" else VALUES[attribute.kind]


def test_the_untagged_attribute_is_no_candidate() -> None:
    mayor = Attribute(name="mayor", scope="shared", kind="text", questions=("Who?",), answers=("{value}",))
    rest = Attribute(name="untagged", scope="private", kind="text", questions=("Why?",), answers=("{value}",))
    rules = Rules(Taxonomy(name="t", subject_noun="town", attributes=(mayor, rest)))
    assert rules.read("Who is the mayor?", "Ada Osko").attribute == "mayor"
    assert rules.read("Untagged? Why?", "Nobody knows").attribute is None
