from __future__ import annotations

import pytest

from offside_data.tagging.values import answer_says, parse_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


@pytest.mark.parametrize(
    ("name", "gold", "answer", "is_it"),
    [
        ("club", "The player will join Velmora.", "He will join Velmora Rovers.", False),
        ("club", "The player will join Velmora.", "He will join New Velmora.", False),
        ("club", "The player will join Velmora.", "Velmora City", False),
        ("club", "The player will join Velmora.", "Velmora FC", True),
        ("club", "The player will join Velmora.", "Velmora Football Club", True),
        ("club", "The player will join Velmora.", "HE WILL JOIN VELMORA", True),
        ("club", "The player will join Velmora.", "Joined Velmora", True),
        ("club", "The player will join Velmora Rovers.", "Velmora", False),
        ("birth_place", "The player was born in Brackwater.", "Brackwater Heath", False),
        ("birth_place", "The player was born in Brackwater.", "Brackwater, Ostland", True),
    ],
)
def test_the_longest_name_wins(name: str, gold: str, answer: str, is_it: bool) -> None:
    value = parse_value(gold, FOOTBALL[name])
    assert value is not None
    assert answer_says(answer, value, FOOTBALL[name]) == is_it
