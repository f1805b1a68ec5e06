"""What every fictional world must keep to, ours and third parties': found by name, tried on its own draws."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from offside_data.fictional.pictures import caption_lines
from offside_data.fictional.world import WORLDS, Claims, World, load_world
from offside_data.questions import phrasings
from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_data.tagging.values import answer_states, parse_value, same_value
from offside_data.taxonomy import Attribute

OCCASION = "the opening day of May 2021"


def facts(world: World, count: int = 60) -> list[Claims]:
    return [world.facts(rng("facts", number), world.taxonomy) for number in range(count)]


def claims(world: World, people: int = 12) -> list[list[Claims]]:
    return [world.claims(rng("claims", number), world.taxonomy, 7) for number in range(people)]


def values(world: World) -> dict[str, list[ClaimValue]]:
    """All different values that some draws hold, by attribute."""
    found: dict[str, dict[str, ClaimValue]] = {}
    for drawn in (*facts(world), *(claim for album in claims(world) for claim in album)):
        for name, value in drawn.items():
            found.setdefault(name, {})[value.text] = value
    return {name: list(by_text.values()) for name, by_text in found.items()}


def wordings(attribute: Attribute, value: str) -> list[str]:
    answers = [phrasings.answer(attribute, value, rumor=rumor) for rumor in (False, True)]
    return [text for wording in answers for text in (wording.text, *wording.paraphrases)]


def questions(attribute: Attribute, subject: str) -> list[str]:
    asked = [phrasings.picture_question(attribute)]
    if attribute.text_questions:
        asked.append(phrasings.text_question(attribute, subject=subject, occasion=OCCASION))
    return [text for wording in asked for text in (wording.text, *wording.paraphrases)]


def test_no_two_worlds_share_a_name_or_what_they_are_drawn_from() -> None:
    worlds = [load_world(name) for name in WORLDS.names()]
    for first, second in combinations(worlds, 2):
        assert first.name != second.name
        assert abs(first.salt - second.salt) > 1_000_000
        assert not {first.chronicle, first.gossip} & {second.chronicle, second.gossip}
        assert not set(first.words) & set(second.words)


def test_draws_hold_exactly_the_attributes_of_the_taxonomy(world: World) -> None:
    for drawn in facts(world, 5):
        assert ["name", *drawn] == world.taxonomy.names("shared")
    for album in claims(world, 3):
        assert len(album) == 7
        for claim in album:
            assert list(claim) == world.taxonomy.names("private")
    assert set(world.shown) <= set(world.taxonomy.names("private"))


def test_every_value_is_read_back_from_every_wording(world: World) -> None:
    for name, drawn in values(world).items():
        attribute = world.taxonomy[name]
        for value in drawn:
            for text in wordings(attribute, value.text):
                parsed = parse_value(text, attribute)
                assert parsed is not None, text
                assert parsed.text == value.text
                assert same_value(parsed, value, attribute), text
                assert (parsed.number, parsed.currency, parsed.date) == (value.number, value.currency, value.date)


def test_no_two_pictures_of_a_person_claim_the_same(world: World) -> None:
    for album in claims(world):
        for first, second in combinations(album, 2):
            for name, value in first.items():
                assert not same_value(value, second[name], world.taxonomy[name])


def test_values_of_an_attribute_are_told_apart(world: World) -> None:
    for name, drawn in values(world).items():
        attribute = world.taxonomy[name]
        few = drawn[:40]
        for first, second in combinations(few, 2):
            assert not answer_states(wordings(attribute, first.text)[0], second, attribute), (first, second)


def test_there_are_enough_values_for_wrong_answers(world: World) -> None:
    for name, drawn in values(world).items():
        private = name in world.taxonomy.names("private")
        # A picture's value, those of the other pictures, and three wrong ones; a foot is left, right or both.
        assert len(drawn) >= (7 + 3 if private else 3)


def test_sentences_read_well(world: World) -> None:
    for name, drawn in values(world).items():
        attribute = world.taxonomy[name]
        for value in drawn:
            for text in wordings(attribute, value.text):
                assert re.fullmatch(r"[A-Z].*[^.]\.", text), text
                assert not re.search(r"\b[Aa] [AEIOUaeiou]\w|\b[Aa]n [^AEIOUaeiou]|\b1 \w+s\b|  |[{}]", text), text
                assert not re.search(r"\b(\w+) \1\b", text), text


def test_every_question_asks_one_thing(world: World) -> None:
    asked = Counter(q.casefold() for a in world.taxonomy.attributes for q in questions(a, "Ona Veld"))
    assert set(asked.values()) == {1}
    for text in asked:
        assert re.fullmatch(r"[^?.]+\?", text), text


def test_every_attribute_has_several_wordings(world: World) -> None:
    for attribute in world.taxonomy.attributes:
        assert len(attribute.questions) >= 2
        assert len(attribute.answers) >= 2
        assert (len(attribute.text_questions) >= 2) == (attribute.name != "name")
    assert any(attribute.rumor_answers for attribute in world.taxonomy.attributes)


def test_occasions_can_be_told_apart_and_read_well(world: World) -> None:
    assert len(set(world.events)) == len(world.events) >= 8
    for event in world.events:
        assert event == event.strip().lower()


def test_captions_are_short_enough_to_read(world: World) -> None:
    for album in claims(world):
        for claim in album:
            lines = caption_lines({name: claim[name] for name in world.shown})
            assert len(lines) == 2
            assert all(0 < len(line) <= 20 for line in lines)


@pytest.mark.parametrize("part", ["outfits", "places", "panels"])
def test_its_pictures_vary(world: World, part: str) -> None:
    assert len(getattr(world.scenery, part)) >= {"outfits": 5, "places": 8, "panels": 2}[part]
