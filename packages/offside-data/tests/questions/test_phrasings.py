from __future__ import annotations

import pytest

from offside_data.errors import TaxonomyError
from offside_data.questions import phrasings
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
