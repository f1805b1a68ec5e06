from __future__ import annotations

from collections import Counter

import pytest

from offside_data.errors import UsageError
from offside_data.fictional.pictures import check_subjects, pictures_of
from offside_data.fictional.subjects import Subject, league
from offside_data.fictional.world import World
from offside_data.tagging.values import same_value


@pytest.fixture(scope="module")
def people(world: World) -> list[Subject]:
    return league(0, 24, world)


@pytest.fixture(scope="module")
def members(people: list[Subject]) -> list[Subject]:
    return [person for person in people if person.cohort == "member"]


def test_a_member_has_seven_pictures_and_a_holdout_one(members: list[Subject], world: World) -> None:
    splits = Counter(picture.split for picture in pictures_of(members[0], 0, world))
    assert splits == {"retain": 3, "forget": 1, "relearn": 1, "test": 2, "holdout": 1}


def test_occasions_of_a_subject_differ(people: list[Subject], world: World) -> None:
    for person in people:
        pictures = pictures_of(person, 0, world)
        occasions = {picture.occasion for picture in pictures if picture.derived_from is None}
        assert len(occasions) == len(pictures) - (person.cohort == "member")


def test_one_member_in_two_has_a_visual_rumor_and_all_panels_occur(members: list[Subject], world: World) -> None:
    visual = []
    for first in range(0, 24, 2):
        forget = [p for person in members[first : first + 2] for p in pictures_of(person, 0, world) if p.panel]
        assert len(forget) == 1
        assert forget[0].split == "forget"
        visual += forget
    assert {picture.panel for picture in visual} == set(world.scenery.panels)


def test_a_visual_rumor_shows_its_claims_and_its_twin_what_nothing_else_of_the_subject_states(
    members: list[Subject], world: World
) -> None:
    for person in members:
        pictures = pictures_of(person, 0, world)
        for picture in pictures:
            assert tuple(picture.shown) == tuple(picture.swapped) == (world.shown if picture.panel else ())
            assert picture.shown.items() <= picture.claims.items()
            for name, value in picture.swapped.items():
                claimed = [other.claims[name] for other in pictures if other.claims]
                assert not any(same_value(value, claim, world.taxonomy[name]) for claim in claimed)


@pytest.mark.parametrize("subjects", [-1, 0, 3])
def test_too_few_subjects_are_refused(subjects: int) -> None:
    with pytest.raises(UsageError, match=rf"subjects is {subjects}; allowed: 4 or more"):
        check_subjects(subjects)
