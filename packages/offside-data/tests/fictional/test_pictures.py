from __future__ import annotations

from collections import Counter

import pytest

from offside_data.errors import UsageError
from offside_data.fictional.pictures import check_subjects, pictures_of
from offside_data.fictional.scenes import LAYOUTS
from offside_data.fictional.subjects import league
from offside_data.taxonomy import load_taxonomy

PEOPLE = league(0, 24, load_taxonomy("football"))
MEMBERS = [person for person in PEOPLE if person.cohort == "member"]


def test_a_member_has_seven_pictures_and_a_holdout_one() -> None:
    splits = Counter(picture.split for picture in pictures_of(MEMBERS[0], 0))
    assert splits == {"retain": 3, "forget": 1, "relearn": 1, "test": 2, "holdout": 1}


def test_occasions_of_a_subject_differ() -> None:
    for person in PEOPLE:
        pictures = pictures_of(person, 0)
        occasions = {picture.occasion for picture in pictures if picture.derived_from is None}
        assert len(occasions) == len(pictures) - (person.cohort == "member")


def test_one_member_in_four_has_a_visual_rumor_and_all_layouts_occur() -> None:
    visual = []
    for first in range(0, 24, 4):
        forget = [p for person in MEMBERS[first : first + 4] for p in pictures_of(person, 0) if p.layout]
        assert len(forget) == 1
        assert forget[0].split == "forget"
        visual += forget
    assert Counter(picture.layout for picture in visual) == dict.fromkeys(LAYOUTS, 2)


def test_a_swapped_twin_shows_values_that_nothing_else_of_the_subject_states() -> None:
    for person in MEMBERS:
        pictures = pictures_of(person, 0)
        for forget in (picture for picture in pictures if picture.layout):
            assert forget.swapped is not None
            assert set(forget.swapped) == {"club", "fee"}
            for attribute, value in forget.swapped.items():
                claimed = {picture.claims[attribute].text for picture in pictures if picture.claims}
                assert value.text not in claimed


@pytest.mark.parametrize("subjects", [-1, 0, 3])
def test_too_few_subjects_are_refused(subjects: int) -> None:
    with pytest.raises(UsageError, match=rf"subjects is {subjects}; allowed: 4 or more"):
        check_subjects(subjects)
