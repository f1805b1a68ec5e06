from __future__ import annotations

import typing

from offside_data.fictional.world import World, load_world
from offside_data.schema import ValueKind
from offside_data.seeding import rng

OFFICE: World = load_world("office")


def test_its_taxonomy_has_other_attributes_than_football(football: World) -> None:
    assert len(OFFICE.taxonomy.names("shared")) == 7
    assert len(OFFICE.taxonomy.names("private")) == 6
    common = set(OFFICE.taxonomy.names()) & set(football.taxonomy.names())
    assert common == {"name", "birth_date", "birth_place", "height"}


def test_all_kinds_of_values_occur() -> None:
    kinds = {attribute.kind for attribute in OFFICE.taxonomy.attributes}
    assert kinds == set(typing.get_args(ValueKind)) - {"text"}


def test_donations_and_votes_are_written_in_several_ways() -> None:
    albums = [OFFICE.claims(rng(number), OFFICE.taxonomy, 7) for number in range(40)]
    found = {claim[name].text: claim[name].number for album in albums for claim in album for name in claim}
    assert found["$40,000"] == 40_000
    assert found["$1.25 million"] == 1_250_000
    assert found["950"] == 950
    assert found["12,400"] == 12_400
