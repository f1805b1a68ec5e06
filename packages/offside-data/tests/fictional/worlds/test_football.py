from __future__ import annotations

import datetime
import hashlib
import json

from offside_data.fictional.records import RecordBuilder
from offside_data.fictional.subjects import league
from offside_data.fictional.world import World
from offside_data.seeding import rng


def test_facts_fit_each_other_and_the_taxonomy(football: World) -> None:
    for person in league(0, 40, football):
        born = datetime.date.fromisoformat(person.facts["birth_date"].date or "")
        birthday = born.replace(year=born.year + int(person.facts["age"].number or 0))
        assert birthday <= datetime.date(2025, 7, 1) < birthday.replace(year=birthday.year + 1)
        height = person.facts["height"]
        assert height.text == f"{height.number:.2f} meters"
        for name in ("position", "foot"):
            assert person.facts[name].text in {spellings[0] for spellings in football.taxonomy[name].options}


CLAIMS = "7a77d0883d39fd47e786292e39dcf7d15d7a22124a968a2394692aaf3dc73829"
"""Of ids and values of the four members of seed 0, as they were when worlds were told apart."""


def test_the_league_of_the_first_release_never_changes(football: World) -> None:
    records = RecordBuilder(seed=0, members=4, world=football).subject_records()
    told = [(r.record_id, r.subject_id, r.attribute, r.value and r.value.text) for r in records]
    assert (
        hashlib.sha256(json.dumps(told).encode()).hexdigest()
        == "7a77d0883d39fd47e786292e39dcf7d15d7a22124a968a2394692aaf3dc73829"
    )


def test_small_amounts_are_written_in_thousands(football: World) -> None:
    albums = [football.claims(rng(number), football.taxonomy, 7) for number in range(30)]
    texts = {claim["market_value"].text: claim["market_value"].number for album in albums for claim in album}
    assert texts["€800k"] == 800_000
    assert texts["€12.50m"] == 12_500_000
