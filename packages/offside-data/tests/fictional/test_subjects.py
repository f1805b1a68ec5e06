from __future__ import annotations

from offside_data.fictional.subjects import league, person_names
from offside_data.fictional.world import World


def test_no_part_of_a_name_occurs_anywhere_else(world: World) -> None:
    words = [part.casefold() for name in person_names(0, 250, world) for part in name.split()]
    assert len(words) == 500
    options = [spelling for a in world.taxonomy.attributes for option in a.options for spelling in option]
    text = " ".join([*words, *world.words, *world.events, *options]).casefold()
    for word in words:
        assert text.count(word) == 1


def test_those_who_follow_change_nobody(world: World) -> None:
    assert league(3, 24, world)[:15] == league(3, 12, world)


def test_every_fifth_person_is_held_out(world: World) -> None:
    people = league(0, 8, world)
    assert [person.subject_id for person in people if person.cohort == "holdout"] == [
        "holdout-001",
        "holdout-002",
    ]
    assert [person.subject_id for person in people if person.cohort == "member"] == [
        f"{world.taxonomy.subject_noun}-{number:03d}" for number in range(1, 9)
    ]


def test_everybody_has_all_shared_facts(world: World) -> None:
    for person in league(0, 8, world):
        assert list(person.facts) == world.taxonomy.names("shared")
        assert person.facts["name"].text == person.name
        for name, value in person.facts.items():
            attribute = world.taxonomy[name]
            assert value.kind == attribute.kind
            assert not attribute.options or value.text in {spellings[0] for spellings in attribute.options}
