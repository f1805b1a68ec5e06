from __future__ import annotations

import subprocess
import sys

from offside_data.seeding import draw_records, rng


def test_each_key_has_numbers_of_its_own() -> None:
    assert rng(0, "a").random() == rng(0, "a").random()
    assert len({rng(*key).random() for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1), ("0", "a"))}) == 5


def test_other_processes_draw_the_same_numbers() -> None:
    code = "from offside_data.seeding import rng; print(rng(7, 'portrait', 'player-001').getrandbits(64))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == rng(7, "portrait", "player-001").getrandbits(64)


def test_a_limit_draws_by_seed_and_id_alone() -> None:
    ids = [f"r{number}" for number in range(100)]
    drawn = {ids[i] for i in draw_records(ids, 10, seed=0)}
    turned = ids[::-1]
    assert {turned[i] for i in draw_records(turned, 10, seed=0)} == drawn
    assert {ids[i] for i in draw_records(ids, 10, seed=1)} != drawn
    assert draw_records(ids, 10, seed=0) == sorted(draw_records(ids, 10, seed=0))
    assert draw_records(ids, 500, seed=0) == list(range(100))


def test_added_records_displace_only_as_many_as_they_are() -> None:
    ids = [f"r{number}" for number in range(100)]
    more = [*ids, *(f"new{number}" for number in range(3))]
    before, after = ({some[i] for i in draw_records(some, 50, seed=0)} for some in (ids, more))
    assert len(after) == 50
    assert len(before - after) == len(after - set(ids)) <= 3
