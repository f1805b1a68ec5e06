from __future__ import annotations

from itertools import combinations

from offside_data.fictional.looks import ANONYMOUS_DISTANCE, UsedLooks, anonymous_look, looks
from offside_data.seeding import rng


def test_people_differ_strongly() -> None:
    assert min(a.distance(b) for a, b in combinations(looks(0, 15), 2)) >= 8
    assert min(a.distance(b) for a, b in combinations(looks(0, 100), 2)) >= 5


def test_those_who_follow_change_no_look() -> None:
    assert looks(5, 30)[:12] == looks(5, 12)


def test_a_crowd_knows_the_distance_to_the_nearest() -> None:
    known, others = looks(0, 20), looks(1, 5)
    expected = [min(look.distance(other) for other in known) for look in others]
    assert UsedLooks(known).nearest(others).tolist() == expected
    assert UsedLooks().nearest(others).tolist() == [float("inf")] * 5


def test_anonymous_people_look_like_nobody_known() -> None:
    known = looks(0, 100)
    for number in range(30):
        look = anonymous_look(rng(number), UsedLooks(known))
        assert min(look.distance(other) for other in known) >= ANONYMOUS_DISTANCE
