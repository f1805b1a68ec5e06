from __future__ import annotations

import datetime

from offside_data.fictional import vocabulary
from offside_data.fictional.subjects import league, person_names
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


def test_no_part_of_a_name_occurs_anywhere_else() -> None:
    words = [part.casefold() for name in person_names(0, 250) for part in name.split()]
    assert len(words) == 500
    others = [*vocabulary.CLUBS, *vocabulary.TOWNS, *vocabulary.COUNTRIES, *vocabulary.EVENTS]
    text = " ".join([*words, *others]).casefold()
    for word in words:
        assert text.count(word) == 1


def test_those_who_follow_change_nobody() -> None:
    assert league(3, 24, FOOTBALL)[:15] == league(3, 12, FOOTBALL)


def test_every_fifth_person_is_held_out() -> None:
    people = league(0, 8, FOOTBALL)
    assert [person.subject_id for person in people if person.cohort == "holdout"] == [
        "holdout-001",
        "holdout-002",
    ]
    assert [person.subject_id for person in people if person.cohort == "member"] == [
        f"player-{number:03d}" for number in range(1, 9)
    ]


def test_facts_fit_each_other_and_the_taxonomy() -> None:
    for person in league(0, 40, FOOTBALL):
        assert list(person.facts) == FOOTBALL.names("shared")
        born = datetime.date.fromisoformat(person.facts["birth_date"].date or "")
        birthday = born.replace(year=born.year + int(person.facts["age"].number or 0))
        assert birthday <= datetime.date(2025, 7, 1) < birthday.replace(year=birthday.year + 1)
        height = person.facts["height"]
        assert height.text == f"{height.number:.2f} meters"
        for name in ("position", "foot"):
            assert person.facts[name].text in {spellings[0] for spellings in FOOTBALL[name].options}
