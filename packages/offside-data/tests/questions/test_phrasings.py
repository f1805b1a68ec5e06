from __future__ import annotations

import pytest

from offside_data.errors import TaxonomyError
from offside_data.questions import phrasings
from offside_data.tagging.values import answer_states, parse_value
from offside_data.taxonomy import Attribute, load_taxonomy

FOOTBALL = load_taxonomy("football")
CLUB, AGE, NAME = FOOTBALL["club"], FOOTBALL["age"], FOOTBALL["name"]


def test_pictures_are_asked_canonically_and_the_other_phrasings_are_paraphrases() -> None:
    assert phrasings.picture_question(CLUB) == (CLUB.questions[0], CLUB.questions[1:])


def test_text_question_names_subject_and_occasion() -> None:
    wording = phrasings.text_question(CLUB, subject="Ada Osko", occasion="the cup final of May 2020")
    for text in (wording.text, *wording.paraphrases):
        assert "Ada Osko" in text
        assert "the cup final of May 2020" in text
        assert "{" not in text


def test_a_private_text_question_needs_its_occasion() -> None:
    with pytest.raises(TaxonomyError, match=r"'club' is private: .* needs the picture's occasion"):
        phrasings.text_question(CLUB, subject="Ada Osko")


def test_an_attribute_without_text_form_is_an_error() -> None:
    with pytest.raises(TaxonomyError, match="'name' has no text_questions"):
        phrasings.text_question(NAME, subject="Ada Osko")


@pytest.mark.parametrize(
    ("attribute", "rumor", "expected"),
    [
        (AGE, False, "The player is 24 years old."),
        (AGE, True, "The player is 24 years old."),
        (CLUB, False, "The player was with 24."),
        (CLUB, True, "The player will join 24."),
    ],
)
def test_answers_are_worded_canonically(attribute: Attribute, rumor: bool, expected: str) -> None:
    wording = phrasings.answer(attribute, "24", rumor=rumor)
    assert wording.text == expected
    assert wording.text not in wording.paraphrases
    assert all("24" in text for text in wording.paraphrases)
    assert phrasings.cloze(attribute, rumor=rumor) == expected.replace("24", phrasings.BLANK)


@pytest.mark.parametrize(
    ("attribute", "answer", "text"),
    [
        ("trophies", "He did not win any trophies.", "0"),
        ("trophies", "He won a dozen trophies.", "12"),
        ("fee", "He came on loan.", "a loan"),
        ("fee", "He returned at the end of his loan.", "the end of a loan"),
        ("fee", "He came for free.", "a free transfer"),
        ("fee", "It cost €0.", "€0"),
        ("fee", "It cost €35.00m.", "€35.00m"),
        ("nationality", "He is Swedish.", "Sweden"),
        ("nationality", "He is from the Netherlands.", "Netherlands"),
        ("nationality", "He is from Ostland.", "Ostland"),
        ("position", "He is a striker.", "Centre-Forward"),
        ("foot", "He is left-footed.", "left"),
        ("height", "He is 1.79 meters tall.", "1.79 meters"),
    ],
)
def test_values_are_written_alike_in_every_sentence(attribute: str, answer: str, text: str) -> None:
    about = FOOTBALL[attribute]
    value = parse_value(answer, about)
    assert value is not None
    assert phrasings.value_text(value, about) == text
    assert answer_states(phrasings.answer(about, text).text, value, about)
